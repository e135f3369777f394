//! Whether the services of an image make sense in its model.

use std::path::{Component, Path};

use datastore::Key;

use crate::model::Model;
use crate::service::{ConfigFile, Service, octal};

impl Service {
    /// What is wrong with it in this model, if anything.
    ///
    /// # Errors
    /// The reason, to be read after its name.
    pub fn check(&self, model: &Model) -> Result<(), String> {
        if self.name.is_empty() || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            return Err("its name is not one of letters, digits, '-', '_' and '.'".to_owned());
        }
        for key in self.settings.iter().chain(&self.each) {
            if !model.has(key) && !model.has_below(key) {
                return Err(format!("it follows {key}, which is no setting"));
            }
        }
        let instances = self.when.is_some() || !self.needs.is_empty();
        if (instances || !self.stop.is_empty() || !self.clean.is_empty()) && self.each.is_none() {
            return Err("only a service with \"each\" has instances that do not run".to_owned());
        }
        if self.restart.iter().chain(&self.stop).chain(&self.clean).any(Vec::is_empty) {
            return Err("a command has no words".to_owned());
        }
        self.files.iter().try_for_each(|file| self.check_file(file, model))
    }

    fn check_file(&self, file: &ConfigFile, model: &Model) -> Result<(), String> {
        let path = Path::new(&file.path);
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return Err(format!("the path {:?} does not begin at the root", file.path));
        }
        if octal(&file.mode).is_none() || octal(&file.dir_mode).is_none() {
            return Err(format!("the permissions of {:?} are not octal digits such as \"0644\"", file.path));
        }
        if Path::new(&file.template).components().count() != 1 || file.template.starts_with('.') {
            return Err(format!("{:?} is not the name of a template", file.template));
        }
        if self.each.is_some() != file.path.contains("{id}") {
            return Err(format!("the path {:?} has {{id}} in it for \"each\", and only then", file.path));
        }
        if self.each.is_none() {
            for name in &file.needs {
                let known = Key::parse(name).is_ok_and(|key| model.has(&key));
                if !known {
                    return Err(format!("{:?} needs {name}, which is no setting", file.path));
                }
            }
        }
        Ok(())
    }
}
