//! Whether what is staged still stands, asked once more before it boots.
//!
//! An image may wait for days between being installed and being activated, and may have been taken back meanwhile. So
//! the repository is asked, if it answers at once. If it does not, the activation goes on: it needs no network.

use std::time::Duration;

use host_io::report;
use semver::Version;

use crate::config;
use crate::context::Context;
use crate::decide::attempts::Attempts;
use crate::decide::standing::{self, Against, Rules};
use crate::error::Error;
use crate::flip::record::Entry;
use crate::look::fetch::{self, Purse};

/// How long the repository may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of a staged release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recall {
    /// It still stands.
    Offered,
    /// Something speaks against it.
    Against(Against),
    /// Nobody could be asked.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// What speaks against `staged` as far as this host knows by itself. A configuration that cannot be read says nothing.
#[must_use]
pub fn here(context: &Context, running: &Version, attempts: &Attempts, staged: &Entry) -> Option<Against> {
    let config = config::load(&*context.fs, &context.paths)
        .inspect_err(|error| {
            tracing::debug!("the settings of updates are not known: {}", report::chain(error))
        })
        .ok();
    let rules = config.map_or(Rules { locked_to: None, minimum: None }, |config| {
        Rules::of(&config.version_lock, config.minimum_version.as_ref())
    });
    standing::here(staged, running, &rules, &attempts.bars(context.clock.now()))
}

/// Asks the repository about `staged`.
///
/// # Errors
/// When the program is told to stop.
pub fn ask(context: &Context, staged: &Entry) -> Result<Recall, Error> {
    let opening = within(Box::pin(fetch::opened(context, Some(&staged.variant), Purse::Open)));
    let unknown = |why: String| Recall::Unknown { why };
    Ok(match context.waiter.wait(opening)? {
        Some(Ok(opened)) => {
            let rules = Rules::of(&opened.config.version_lock, opened.config.minimum_version.as_ref());
            match (standing::offered(staged, &opened.manifest, &opened.machine, &rules), &opened.unknown) {
                (Some(against), _) => Recall::Against(against),
                (None, None) => Recall::Offered,
                // A network that is poor stands in nobody's way; a repository that is incomplete says something.
                (None, Some(error)) if error.is_of_the_way() => {
                    unknown(format!("failed to {}", report::chain(error)))
                }
                (None, Some(error)) => {
                    standing::unknown(staged, &report::chain(error)).map_or(Recall::Offered, Recall::Against)
                }
            }
        }
        Some(Err(error)) if error.is_stop() => return Err(error),
        Some(Err(error)) => unknown(format!("failed to {}", report::chain(&error))),
        None => unknown(format!("it did not answer within {} s", PATIENCE.as_secs())),
    })
}

async fn within<F: Future>(future: F) -> Option<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.ok()
}
