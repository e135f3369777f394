//! Running a command in a host container, with this terminal as its terminal.
//!
//! - [`connect`]: from the server's socket to a WebSocket
//! - [`terminal`]: raw mode, and back from it on every way out
//! - [`input`]: what is typed or piped in
//! - [`output`]: what the command says
//! - [`session`]: messages to and fro, until the command or one of the sides ends

pub mod connect;
pub mod input;
pub mod output;
pub mod session;
pub mod terminal;
