//! Values for the tests of this crate.

use std::collections::BTreeMap;

use crate::{Images, Update, UpdateExtensions};

/// A release of the variant "demo", open to everybody.
pub(crate) fn update(version: &str, max_version: &str) -> Update {
    update_of("demo", version, max_version)
}

/// A release of any variant, open to everybody.
pub(crate) fn update_of(variant: &str, version: &str, max_version: &str) -> Update {
    Update {
        variant: variant.to_owned(),
        arch: "x86_64".to_owned(),
        version: version.parse().unwrap(),
        max_version: max_version.parse().unwrap(),
        waves: BTreeMap::new(),
        images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
        extensions: UpdateExtensions::default(),
    }
}
