//! Root from its stream: all of it, or what comes behind the blocks that a run before has written.

use std::sync::Arc;

use host_io::Buffer;
use signpost::Role;
use trusted_repo::TargetInfo;
use trusted_repo::midway::{Lz4Midway, WINDOW};

use super::Job;
use crate::error::Error;
use crate::look::plan::{Origins, Way};
use crate::write::install::entrance::{Entrance, Entrances, Noted};
use crate::write::install::plain::write_root;
use crate::write::install::target::{RootWritten, Target};
use crate::write::install::{self, VerifiedTree};

impl Job<'_> {
    /// Writes what is not in place of root. The stream is entered as far behind as is known; where that does not give the
    /// blocks of the tree, all of it is fetched.
    pub(super) fn root_from_stream(
        &self,
        target: Target,
        tree: &Arc<VerifiedTree>,
        origins: &Origins,
    ) -> Result<(RootWritten, Way), Error> {
        let signed = self.signed(Role::Root)?;
        let (fs, paths) = (&self.context.fs, &self.context.paths);
        let entrances = Entrances::load(&signed, &**fs, paths);
        let entrance = entrances.within(origins.in_place_from_the_start());
        let noted = Noted::new(entrances, fs, paths);
        let written = match entrance {
            Some(entrance) => self.root_from_midway(&signed, &target, tree, origins, entrance, &noted),
            None => self.whole_root(&target, tree, origins, &noted),
        };
        match &written {
            Ok(_) => noted.forget(),
            Err(_) => noted.keep(),
        }
        Ok((written?, Way::PlainStream))
    }

    fn whole_root(
        &self,
        target: &Target,
        tree: &Arc<VerifiedTree>,
        origins: &Origins,
        noted: &Noted,
    ) -> Result<RootWritten, Error> {
        self.streamed(Role::Root, |source| {
            write_root(target.clone(), tree, origins, source.noting(noted.noting()), self.crew())
        })
    }

    fn root_from_midway(
        &self,
        signed: &TargetInfo,
        target: &Target,
        tree: &Arc<VerifiedTree>,
        origins: &Origins,
        entrance: Entrance,
        noted: &Noted,
    ) -> Result<RootWritten, Error> {
        let Entrance { flags, midway } = entrance;
        tracing::info!(
            "root is in place up to {} bytes: its stream of {} is entered at {}",
            midway.raw,
            signed.length,
            midway.at
        );
        let repository = &self.opened.repository;
        let mut before = Buffer::new(WINDOW);
        let read = target.disk.read_at(midway.raw - WINDOW as u64, &mut before);
        let write = || -> Result<RootWritten, install::Error> {
            let refused = |source| install::Error::Source { image: Role::Root, source };
            let inside = self.context.waiter.enter();
            let tail = repository.open_unverified_tail(signed, midway.at).map_err(refused)?;
            let source = Lz4Midway::new(tail, flags, midway, &before).map_err(refused)?;
            drop(inside);
            write_root(target.clone(), tree, origins, source.noting(noted.noting()), self.crew())
        };
        let why = match read.map(|()| write()) {
            // What was noted may be as wrong as what came, so nobody is to blame yet.
            Ok(Err(error)) if error.is_of_source() => host_io::report::chain(&error),
            Ok(done) => return Ok(done?),
            Err(error) => error.to_string(),
        };
        tracing::warn!("all of the root image is fetched after all: failed to go on in the middle: {why}");
        self.budget.check(repository.bytes_fetched(), signed.length)?;
        noted.begin_anew(signed);
        self.whole_root(target, tree, origins, noted)
    }
}
