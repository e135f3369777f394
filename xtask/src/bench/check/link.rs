//! A target over a link that is capped and reset again and again.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_io::{Clock as _, Paths, SystemClock, SystemFs};
use testdata::{Fault, noise};
use trusted_repo::{Exception, Proxy, Source, open_online};

use super::repository::{Served, runtime};

/// A link, and what is fetched over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Bytes of the target.
    pub(super) length: u64,
    pub(super) bytes_per_second: u64,
    reset_every_seconds: u64,
}

/// What the download cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Download {
    pub(super) length: u64,
    pub(super) requests: u64,
    /// Bytes of bodies that the server sent.
    pub(super) sent: u64,
    /// Bytes that the client received, metadata not counted.
    pub(super) received: u64,
    pub(super) took: Duration,
}

impl Download {
    /// Which part of the target the server sent more than once.
    pub(super) fn sent_twice(&self) -> f64 {
        fraction(self.sent, self.length)
    }

    /// Which part of the target the client received more than once.
    pub(super) fn received_twice(&self) -> f64 {
        fraction(self.received, self.length)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of some megabytes, for people")]
fn fraction(bytes: u64, length: u64) -> f64 {
    bytes.saturating_sub(length) as f64 / length as f64
}

impl Link {
    /// Scaled down to some ten seconds.
    pub(super) const SCALED: Self =
        Self { length: 20_000_000, bytes_per_second: 2_000_000, reset_every_seconds: 2 };
    /// An image over a link as it may be.
    pub(super) const FULL: Self =
        Self { length: 300_000_000, bytes_per_second: 500_000, reset_every_seconds: 20 };

    /// Fetches a target over this link, to its end and its proof.
    #[expect(clippy::disallowed_methods, reason = "the bench tells how long the download took")]
    pub(super) fn measure(self) -> Result<Download, Box<dyn Error>> {
        let mut served = Served::empty()?;
        served.publish("image.lz4", &noise(1, usize::try_from(self.length)?))?;
        let urls = served.world.repository();
        let source = Source {
            proxy: Proxy { no_proxy: vec![Exception::parse("127.0.0.1")?], ..Proxy::default() },
            ..Source::new(urls.metadata_base_url.parse()?, urls.targets_base_url.parse()?)
        };
        let trust = Paths::under(&served.host).trust();
        let runtime = runtime()?;
        let repository = runtime.block_on(open_online(
            Arc::new(SystemFs),
            source,
            served.world.trusted_root(),
            &trust,
            SystemClock.now(),
        ))?;
        let server = served.world.server();
        server.clear_log();
        let after = self.bytes_per_second * self.reset_every_seconds;
        server.fault("image.lz4", Fault::SlowReset { bytes_per_second: self.bytes_per_second, after });

        let before = repository.bytes_fetched();
        let started = Instant::now();
        let signed = runtime.block_on(repository.target("image.lz4"))?;
        let _in_the_runtime = runtime.enter();
        let mut target = repository.open_target(&signed)?;
        let mut buffer = vec![0; 64 << 10];
        while target.read(&mut buffer)? > 0 {}
        let proof = target.finish()?;
        Ok(Download {
            length: proof.length(),
            requests: server.requests().len() as u64,
            sent: server.bytes_sent(),
            received: repository.bytes_fetched() - before,
            took: started.elapsed(),
        })
    }
}
