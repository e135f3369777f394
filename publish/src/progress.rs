//! Who is told how far it is.

use std::io::{self, Read};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Told about bytes of images as they are worked through.
pub trait Progress: Send + Sync {
    /// `bytes` more are done.
    fn done(&self, bytes: u64);
    /// `bytes` are to be done altogether.
    fn total(&self, bytes: u64);
    /// Nothing more comes.
    fn finish(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn done(&self, _bytes: u64) {}
    fn total(&self, _bytes: u64) {}
    fn finish(&self) {}
}

/// A bar on stderr where that is a terminal; otherwise silent.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that does not show yet.
    ///
    /// # Panics
    /// Never: the template is a constant.
    #[must_use]
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .expect("the template is well formed");
        // stderr() draws on a terminal only.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style);
        Self { bar }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bar {
    fn done(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn total(&self, bytes: u64) {
        self.bar.set_length(bytes);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A reader that tells how much was read from it.
pub(crate) struct Counted<R> {
    pub(crate) inner: R,
    pub(crate) progress: Arc<dyn Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.progress.done(count as u64);
        Ok(count)
    }
}
