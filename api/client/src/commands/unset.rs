//! `unset`: taking settings away.

use host_io::say;

use crate::api::Api;
use crate::error::Error;
use crate::transaction::{Patch, change};

/// The host's place in the fleet. A new one is drawn where it is taken away.
const SEED: &str = "updates.seed";

/// What to take away.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Where the image has a default for a setting, it comes back. \"updates.seed\" is drawn anew, and only where it is
named alone.

Examples:
  apiclient unset network.https-proxy
  apiclient unset host-containers.old"
)]
pub struct Args {
    /// Settings, or groups of them; "settings." may be left out
    #[arg(value_name = "KEY", required = true, value_parser = key)]
    pub keys: Vec<String>,
}

/// Takes the settings away and puts that in force. Says nothing when it is done, but for a place in the fleet.
///
/// # Errors
/// When the server refuses or does not answer; nothing is then changed.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    change(api, "apiclient-unset", vec![Patch::away(&args.keys)]).await?;
    let [key] = &args.keys[..] else { return Ok(()) };
    if key.strip_prefix("settings.").unwrap_or(key) != SEED {
        return Ok(());
    }
    let settings = api
        .get(&format!("/settings?keys=settings.{SEED}"))
        .await
        .map_err(Error::call("read the new place in the fleet"))?;
    say::outcome(&format!("settings.{SEED} is {} now\n", settings["updates"]["seed"]));
    Ok(())
}

fn key(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it must be a KEY".to_owned()),
        text if text.contains('=') => Err("it must be a KEY, without a value".to_owned()),
        text if text.contains(',') => Err("a key holds no comma; keys are given as words".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_wrong_usage() {
        assert!(key("host-containers.old").is_ok());
        for text in ["", "motd=x", "a,b"] {
            assert!(key(text).is_err(), "{text:?}");
        }
    }
}
