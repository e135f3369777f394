//! Settings as `key=value` pairs: the body of `PATCH /settings/keypair`.

use serde::{Deserialize, Serialize};

/// Pairs as a person types them. The server gives each value the type that its setting has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeypairPayload {
    /// Each `key=value`; the key with or without `settings.` before it.
    pub request_payload: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_travel_as_one_list() {
        let json = r#"{"request_payload":["settings.motd=a=b","updates.seed=7"]}"#;
        let payload: KeypairPayload = serde_json::from_str(json).unwrap();
        assert_eq!(payload.request_payload, ["settings.motd=a=b", "updates.seed=7"]);
        assert_eq!(serde_json::to_string(&payload).unwrap(), json);
    }

    #[test]
    fn pairs_that_are_not_a_list_are_refused() {
        assert!(serde_json::from_str::<KeypairPayload>(r#"{"request_payload":"motd=a"}"#).is_err());
        assert!(serde_json::from_str::<KeypairPayload>("{}").is_err());
    }
}
