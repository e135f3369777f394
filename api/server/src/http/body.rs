//! Reading a body, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};

use super::Failure;

/// The largest body. All settings of a host together are far below that.
pub const LIMIT: usize = 1 << 20;
/// How long a caller may take to send one. It comes from the same machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// 413 when it is too large, 408 when it takes too long, 400 when it breaks off.
pub async fn read(body: Body) -> Result<Bytes, Failure> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, LIMIT)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if too_large(&error) => {
            Err(Failure::too_large(format!("the body is larger than {LIMIT} bytes")))
        }
        Ok(Err(error)) => {
            Err(Failure::bad_request(format!("failed to read the body: {}", host_io::report::chain(&error))))
        }
        Err(_) => {
            Err(Failure::too_slow(format!("the body did not arrive within {} seconds", PATIENCE.as_secs())))
        }
    }
}

fn too_large(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(layer) = next {
        // The limit's own error type is not exported under a stable name by axum; its words are.
        if layer.to_string() == "length limit exceeded" {
            return true;
        }
        next = layer.source();
    }
    false
}
