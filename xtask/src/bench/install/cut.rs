//! A run that is killed when half of it has come, and what the next one fetches once more.

use std::error::Error;

use serde::Serialize;

use super::ways::Way;
use crate::bench::field::host::Host;
use crate::bench::field::repository::Repository;
use crate::bench::field::turnstile::Turnstile;
use crate::bench::field::web::Web;
use crate::bench::field::wire::Wire;
use crate::bench::tools::said;

/// Bytes of targets, headers counted, that came to a host whose `updog` was killed. What the kernel of that host had taken
/// and `updog` had not counts as well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cut {
    pub(super) way: Way,
    /// In one run that nobody disturbs.
    pub(super) undisturbed: u64,
    /// Until it was dead.
    pub(super) killed: u64,
    /// In the run after that, to the end.
    pub(super) resumed: u64,
    /// What came twice; and as a part of what has to come.
    pub(super) twice: u64,
    pub(super) percent: f64,
    /// Of images, in one run more.
    pub(super) again: Again,
}

/// What a run does when all is done already, in bytes of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Again {
    pub(super) fetched: u64,
    pub(super) written: u64,
}

impl Cut {
    /// Installs undisturbed; then once more, killed at half and run again to the end; and then again.
    pub(super) fn measure(
        way: Way,
        host: &Host,
        repository: &Repository,
        web: &Web,
    ) -> Result<Self, Box<dyn Error>> {
        let (door, metadata) = (Turnstile::before(web.port())?, web.url(&repository.metadata()));
        let run = || said(&mut host.updog(&["update-image", "--json"]));
        host.fetch_from(&metadata, &door.url("targets/"))?;
        host.reset()?;
        run()?;
        let undisturbed = door.passed()?;
        host.reset()?;
        door.kill_after(undisturbed / 2, host.updog(&["update-image", "--json"]))?;
        let killed = door.passed()?;
        run()?;
        let resumed = door.passed()?;
        web.forget()?;
        run()?;
        let written = host.evidence()?["bytes"]["written"].as_u64().ok_or("read how much was written")?;
        let again = Again { fetched: Wire::of(&web.sent()?).images(), written };
        host.fetch_from(&metadata, &web.url("targets/"))?;
        Ok(Self::of(way, [undisturbed, killed, resumed], again))
    }

    #[expect(clippy::cast_precision_loss, reason = "a share is no count")]
    pub(super) fn of(way: Way, [undisturbed, killed, resumed]: [u64; 3], again: Again) -> Self {
        let twice = (killed + resumed).saturating_sub(undisturbed);
        let percent = 100.0 * twice as f64 / undisturbed.max(1) as f64;
        Self { way, undisturbed, killed, resumed, twice, percent, again }
    }
}
