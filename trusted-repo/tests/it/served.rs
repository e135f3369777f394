//! A repository with one target, behind a server that misbehaves on request.

use std::io::Read as _;

use testdata::{FaultyServer, noise};
use trusted_repo::open::open_online_paced;
use trusted_repo::{Error, Pacing, Repository};
use url::Url;

use crate::fixture::{Fixture, system_fs, today};

pub(crate) struct Served {
    pub(crate) fixture: Fixture,
    pub(crate) server: FaultyServer,
}

impl Served {
    /// A repository with one target of 300 kB.
    pub(crate) fn new() -> Self {
        let mut fixture = Fixture::new();
        fixture.target("root.lz4", &noise(1, 300_000));
        fixture.sign();
        let server = FaultyServer::start(fixture.repo());
        Self { fixture, server }
    }

    pub(crate) async fn open(&self) -> Result<Repository, Error> {
        let base = Url::parse(&self.server.url("")).expect("an address");
        self.fixture.open_from(self.fixture.source_at(&base), &self.fixture.anchor, today()).await
    }

    pub(crate) async fn open_paced(&self, pacing: Pacing) -> Result<Repository, Error> {
        let base = Url::parse(&self.server.url("")).expect("an address");
        let (source, trust) = (self.fixture.source_at(&base), self.fixture.trust());
        open_online_paced(system_fs(), source, &self.fixture.anchor, &trust, today(), pacing).await
    }

    pub(crate) async fn stream(&self) -> Result<Vec<u8>, Error> {
        let repository = self.open().await?;
        let reader = repository.open_target(&repository.target("root.lz4").await?)?;
        tokio::task::spawn_blocking(move || {
            let mut reader = reader;
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes).map_err(|error| Error::from_read("root.lz4", error));
            read.and_then(|_| reader.finish()).map(|_| bytes)
        })
        .await
        .expect("no panic")
    }

    pub(crate) fn requests_for(&self, part: &str) -> Vec<testdata::server::Request> {
        self.server.requests().into_iter().filter(|request| request.path.contains(part)).collect()
    }
}
