//! The places of one repository, in the order in which they are tried.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Error;
use crate::source::{Place, Source};
use crate::transport::Fault;

/// A repository's metadata places in order, and the targets places that belong to them.
pub(super) struct Places {
    pub(super) metadata: Vec<Place>,
    pub(super) targets: Vec<Place>,
}

impl Places {
    pub(super) fn of(source: &Source) -> Result<Self, Error> {
        let mirrors = source.mirrors.iter();
        let metadata = std::iter::once(&source.metadata_base_url)
            .chain(mirrors.clone().map(|mirror| &mirror.metadata_base_url));
        let targets =
            std::iter::once(&source.targets_base_url).chain(mirrors.map(|mirror| &mirror.targets_base_url));
        Ok(Self {
            metadata: metadata.map(place).collect::<Result<_, _>>()?,
            targets: targets.map(place).collect::<Result<_, _>>()?,
        })
    }
}

fn place(url: &url::Url) -> Result<Place, Error> {
    Place::from_url(url).map_err(|scheme| Error::Metadata {
        name: "anything".to_owned(),
        place: url.to_string(),
        source: Fault::Scheme { scheme },
    })
}

/// Where targets are fetched from. A place that handed out wrong bytes goes to the end of the line.
#[derive(Debug)]
pub(crate) struct Mirrors {
    places: Vec<Place>,
    first: AtomicUsize,
}

impl Mirrors {
    /// `places` has at least one; `first` is the number of the one to begin with.
    pub(crate) fn new(places: Vec<Place>, first: usize) -> Self {
        Self { places, first: AtomicUsize::new(first) }
    }

    /// Each place once, the one to begin with first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, &Place)> {
        let count = self.places.len();
        let first = self.first.load(Ordering::Relaxed);
        (0..count).map(move |step| (first + step) % count).map(|number| (number, &self.places[number]))
    }

    /// Each place once, under its number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.places.iter().enumerate()
    }

    /// From now on the place with this number comes last, if it came first until now.
    pub(crate) fn pass_over(&self, number: usize) {
        let next = (number + 1) % self.places.len();
        let _another_came_first =
            self.first.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_passed_over_comes_last() {
        let mirrors = Mirrors::new(["/a", "/b", "/c"].map(|dir| Place::Directory(dir.into())).to_vec(), 1);
        let order = || mirrors.in_order().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(order(), [1, 2, 0]);
        mirrors.pass_over(0);
        assert_eq!(order(), [1, 2, 0], "it did not come first");
        mirrors.pass_over(1);
        assert_eq!(order(), [2, 0, 1]);
    }
}
