//! Whether what is staged is still offered, asked once more before it boots.
//!
//! An image may wait for days between being installed and being activated, and may have been taken back meanwhile. So
//! the repository is asked, if it answers at once. If it does not, the activation goes on: it needs no network.

use std::time::Duration;

use host_io::report;
use update_metadata::Manifest;
use update_metadata::explain::instant;

use crate::context::Context;
use crate::error::Error;
use crate::fetch::{self, Purse};
use crate::record::Entry;

/// How long the repository may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the repository says of a staged release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recall {
    /// It is still offered.
    Offered,
    /// It is not offered any more.
    Withdrawn {
        /// Why, as a sentence.
        why: String,
    },
    /// Nobody could be asked.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Asks the repository about `staged`.
///
/// # Errors
/// When the program is told to stop.
pub fn ask(context: &Context, staged: &Entry) -> Result<Recall, Error> {
    let opening = within(Box::pin(fetch::opened(context, Some(&staged.variant), Purse::Open)));
    let unknown = |why: String| Recall::Unknown { why };
    Ok(match context.waiter.wait(opening)? {
        Some(Ok(opened)) => judge(&opened.manifest, staged),
        Some(Err(error)) if error.is_stop() => return Err(error),
        Some(Err(error)) => unknown(format!("failed to {}", report::chain(&error))),
        None => unknown(format!("it did not answer within {} s", PATIENCE.as_secs())),
    })
}

async fn within<F: Future>(future: F) -> Option<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.ok()
}

/// What `manifest` says of `staged`.
#[must_use]
pub fn judge(manifest: &Manifest, staged: &Entry) -> Recall {
    let is_it = |update: &&update_metadata::Update| {
        update.variant == staged.variant && update.arch == staged.arch && update.version == staged.version
    };
    let withdrawn = |why: String| Recall::Withdrawn { why };
    if let Some(update) = manifest.updates.iter().find(is_it) {
        return if update.version > update.max_version {
            withdrawn(format!("it was taken back, and nothing above {} may run", update.max_version))
        } else {
            Recall::Offered
        };
    }
    match manifest.extensions.paused.iter().find(|paused| is_it(&&paused.update)) {
        Some(paused) => withdrawn(format!("it is paused since {}", instant(paused.since))),
        None => withdrawn("the repository does not have it any more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use semver::Version;
    use update_metadata::{Images, Paused, Update, UpdateExtensions};

    use super::*;
    use crate::testing::{entry, hash};

    fn update(version: &str, max_version: &str) -> Update {
        Update {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: Version::parse(version).unwrap(),
            max_version: Version::parse(max_version).unwrap(),
            waves: BTreeMap::new(),
            images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
            extensions: UpdateExtensions::default(),
        }
    }

    #[test]
    fn a_release_that_was_taken_back_or_paused_is_not_offered() {
        let staged = entry("1.1.0", hash('1'));
        let manifest = |updates: Vec<Update>| Manifest { updates, ..Manifest::default() };
        let why = |manifest: &Manifest| match judge(manifest, &staged) {
            Recall::Withdrawn { why } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(judge(&manifest(vec![update("1.1.0", "1.1.0")]), &staged), Recall::Offered);
        assert!(why(&manifest(vec![update("1.1.0", "1.0.0")])).contains("nothing above 1.0.0"));
        let mut paused = manifest(vec![update("1.0.0", "1.1.0")]);
        assert!(why(&paused).contains("does not have it"));
        let since = "2024-06-01T00:00:00Z".parse().unwrap();
        paused.extensions.paused.push(Paused { since, update: update("1.1.0", "1.1.0") });
        assert_eq!(why(&paused), "it is paused since 2024-06-01T00:00:00Z");
    }
}
