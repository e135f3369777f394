//! A command in a host container, for somebody at the other end of a WebSocket.
//!
//! The engine's own exec command does the work; which one that is, the image says. Here are only its pipes or its
//! terminal, and the socket (`docs/compatibility.md`, "Exec").
//!
//! - [`engine`]: the command that reaches into a container
//! - [`child`]: it, started, with one stream each way
//! - [`mod@session`]: a conversation from its first message to its close
//! - [`goodbye`]: how a conversation ends

pub mod child;
pub mod engine;
pub mod goodbye;
pub mod session;

pub use engine::Engine;
pub use session::session;
