//! What a migration is, and the data that it sees.

use std::collections::BTreeMap;

use datastore::Value;

use crate::error::Error;

/// Settings and their metadata by name, as in `settings.motd`. Names are those of [`datastore::Key`], quoted where
/// needed.
///
/// Facts of the running system stand beside them as `os.arch`, `os.variant_id` and so on, as far as they can be read;
/// whatever a migration leaves under `os.` is not stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MigrationData {
    /// Values by the name of their setting.
    pub data: BTreeMap<String, Value>,
    /// By the name of a setting, its metadata by name. Metadata exists once, beside the live settings; a transaction has
    /// none but `unset`, for the settings that it takes away.
    pub metadata: BTreeMap<String, BTreeMap<String, Value>>,
}

/// A change of the shape of settings, in both directions.
///
/// It is called once for the live settings and once for each pending transaction. It never assumes that a key exists,
/// and never creates one unconditionally.
pub trait Migration {
    /// From the older release's shape to the newer one's.
    ///
    /// # Errors
    /// When the settings cannot be carried over: the boot then fails and the older release returns.
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error>;

    /// From the newer release's shape to the older one's. What only the newer release knows must be gone afterwards.
    ///
    /// # Errors
    /// As [`Migration::forward`].
    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error>;
}
