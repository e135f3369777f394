//! Which services, and which instances of them, a change of settings may make other than they are.
//!
//! A host may have thousands of settings and of instances, and a person changes one. Whatever is not concerned is as it
//! was when it was last brought in line, and nobody looks at it.

use std::collections::{BTreeMap, BTreeSet};

use datastore::{Key, Value};
use settings_model::Model;
use settings_model::service::Service;
use settings_model::tree;

use super::changed::Changed;
use super::reads::Reads;
use super::template::{Shared, Templates};

/// What of one service is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerned {
    /// All of it, each of its instances.
    All,
    /// The instances with these ids, be they there or gone. None of a service without instances.
    Ids(BTreeSet<String>),
}

impl Concerned {
    /// What of `service`, whose templates look at `reads`, these changes concern.
    #[must_use]
    pub fn by(service: &Service, reads: &Reads, changed: &Changed) -> Self {
        let Changed::These(keys) = changed else { return Self::All };
        let mut ids = BTreeSet::new();
        for key in keys {
            let entry = service.entry(key);
            if reads.has(key) || (entry.is_none() && service.follows(key)) {
                return Self::All;
            }
            ids.extend(entry.map(str::to_owned));
        }
        Self::Ids(ids)
    }

    /// Whether nothing is concerned.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Ids(ids) if ids.is_empty())
    }

    /// Whether that instance is, or the service, where it has none.
    #[must_use]
    pub fn has(&self, id: Option<&str>) -> bool {
        match (self, id) {
            (Self::All, _) => true,
            (Self::Ids(ids), Some(id)) => ids.contains(id),
            (Self::Ids(_), None) => false,
        }
    }
}

/// Settings as the templates of one service see them, and as its instances are found in them.
pub struct View {
    /// Nested, without the outer `settings`, and with all groups of the model.
    pub nested: Value,
    /// The same for templates.
    pub shared: Shared,
}

impl View {
    /// All settings.
    #[must_use]
    pub fn whole(model: &Model, settings: &BTreeMap<Key, Value>) -> Self {
        Self::of(model, tree::nested(settings))
    }

    /// As much of them as what is `concerned` of `service` can look at.
    #[must_use]
    pub fn of_service(
        model: &Model,
        settings: &BTreeMap<Key, Value>,
        service: &Service,
        reads: Reads,
        concerned: &Concerned,
    ) -> Self {
        let own = match (&service.each, concerned) {
            (None, _) => BTreeSet::new(),
            (Some(each), Concerned::All) => [each.clone()].into(),
            (Some(each), Concerned::Ids(ids)) => {
                let of = |id| Key::from_segments(each.segments().iter().map(String::as_str).chain([id]));
                // An id that makes no name is none that a setting has.
                ids.iter().filter_map(|id| of(id.as_str()).ok()).collect()
            }
        };
        Self::of(model, reads.and(Reads::These(own)).nested(settings))
    }

    fn of(model: &Model, nested: Value) -> Self {
        let nested = model.with_all_groups(nested);
        let shared = Shared::new(&nested);
        Self { nested, shared }
    }
}

/// What the files of a service look at: their templates, and what has to be set for them.
#[must_use]
pub fn reads(service: &Service, templates: &Templates<'_>) -> Reads {
    service.files.iter().fold(Reads::default(), |all, file| {
        // What an instance needs lies in its entry.
        let needs = file.needs.iter().filter(|_| service.each.is_none());
        let needs = needs.filter_map(|name| Key::parse(name).ok()).collect();
        all.and(templates.reads(&file.template)).and(Reads::These(needs))
    })
}
