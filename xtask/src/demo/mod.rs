//! The demo. Written next.
use clap::Parser;
#[derive(Parser)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args) -> crate::Outcome { Ok(false) }
