//! `raw`: one request, and the answer as it is. Other programs read both its streams, so it says nothing else.

use host_io::say;
use reqwest::Method;

use crate::api::{Answer, Api};
use crate::error::Error;
use crate::tell::{answer, outcome};

/// The request.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  apiclient raw -u /updates/status\n  apiclient raw -m POST -u /actions/refresh-updates"
)]
pub struct Args {
    /// What to ask for, such as /settings
    #[arg(short, long)]
    pub uri: String,

    /// How to ask
    #[arg(short, long, short_alias = 'X', default_value = "GET")]
    pub method: Method,

    /// The body to send
    #[arg(short, long, allow_hyphen_values = true)]
    pub data: Option<String>,
}

/// Sends the request and prints the body of a good answer, if it has one.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn run(api: &Api, args: Args, verbose: bool) -> Result<(), Error> {
    let only_asks = args.method.is_safe();
    let Answer { code, body } =
        api.send(args.method, &args.uri, args.data).await.map_err(Error::call("ask the API"))?;
    if verbose {
        say::line(&format!("Status {code}"));
    }
    if body.is_empty() {
        return Ok(());
    }
    if only_asks {
        return answer(&body);
    }
    outcome(&body);
    Ok(())
}
