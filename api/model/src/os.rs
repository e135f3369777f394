//! What the running image says of itself: the body of `GET /os`.

use semver::Version;
use serde::{Deserialize, Serialize};

/// The running image, from its os-release file. `version_id` is always a semantic version: machines parse it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OsInfo {
    /// For people, such as `Ours OS 1.1.0`.
    pub pretty_name: String,
    /// Which flavour of the system this is.
    pub variant_id: String,
    /// The running version.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1.1.0"))]
    pub version_id: Version,
    /// The source revision.
    pub build_id: String,
    /// The architecture in the manifest's words (`x86_64`, `aarch64`).
    pub arch: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_info_has_the_five_known_fields() {
        let json = r#"{"pretty_name":"Ours OS 1.1.0","variant_id":"metal","version_id":"1.1.0","build_id":"abc","arch":"x86_64"}"#;
        let info: OsInfo = serde_json::from_str(json).unwrap();
        assert_eq!(info.version_id, Version::new(1, 1, 0));
        assert_eq!(serde_json::to_string(&info).unwrap(), json);
    }
}
