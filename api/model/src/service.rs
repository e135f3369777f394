//! What becomes of settings: the bodies of `GET /services` and `GET /configuration-files`.

use serde::{Deserialize, Serialize};

/// One service that follows settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Service {
    /// The names of the files that are made for it.
    pub configuration_files: Vec<String>,
    /// What is run, in turn, when its settings have changed.
    pub restart_commands: Vec<String>,
}

/// One file that is made from settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigurationFile {
    /// Where it lies.
    pub path: String,
    /// What it is made with.
    pub template_path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_files_have_the_known_fields() {
        let json = r#"{"configuration-files":["motd"],"restart-commands":["systemctl restart x"]}"#;
        let service: Service = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&service).unwrap(), json);
        let json = r#"{"path":"/etc/motd","template-path":"/usr/share/templates/motd"}"#;
        let file: ConfigurationFile = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&file).unwrap(), json);
    }
}
