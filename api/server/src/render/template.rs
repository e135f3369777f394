//! A template and the settings become a text.
//!
//! Templates are minijinja's. A name that the model does not know is an error where it is printed. What is put into a
//! file goes through the filter of the file's syntax, so that a value can never end the line or the text that it stands
//! in: `toml` for TOML, `env` for the environment files of systemd.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use datastore::Value;
use host_io::Fs;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context, escape_formatter};
use thiserror::Error;

use super::reads::Reads;
use settings_model::format;

/// The templates of an image.
pub struct Templates<'a> {
    fs: &'a dyn Fs,
    dir: PathBuf,
    /// With the templates that were asked for so far.
    environment: RefCell<Environment<'static>>,
}

/// All settings as templates see them. Made once for all files, as there may be thousands of both.
pub struct Shared(minijinja::Value);

impl Shared {
    /// These nested settings, without the outer `settings`.
    #[must_use]
    pub fn new(settings: &Value) -> Self {
        Self(minijinja::Value::from(Serde(settings)))
    }
}

/// Why a template gave no text.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error("read the template {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It makes no sense, or asks for what is not there.
    #[error("render the template {path}: {reason}")]
    Render {
        /// The file.
        path: PathBuf,
        /// Why, with the line where that is known.
        reason: String,
    },
}

impl<'a> Templates<'a> {
    /// Those in `dir`.
    #[must_use]
    pub fn new(fs: &'a dyn Fs, dir: PathBuf) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Tags on lines of their own leave no trace, as people expect who write configuration files.
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().expect("the usual delimiters"));
        // Configuration files have truth in lower case, Python has not.
        environment.set_formatter(|out, state, value| match value.kind() {
            ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
            _ => escape_formatter(out, state, value),
        });
        environment.add_filter("toml", |value: Serde<Value>| toml_text(&value.0));
        environment.add_filter("env", |text: &str| env_text(text));
        environment.add_filter("bytes", |text: &str| {
            format::bytes(text).ok_or_else(|| wrong(format!("{text:?} is no number of bytes")))
        });
        environment.add_filter("seconds", |text: &str| {
            format::seconds(text).ok_or_else(|| wrong(format!("{text:?} is no length of time")))
        });
        Self { fs, dir, environment: RefCell::new(environment) }
    }

    /// The text of the template `name`. It sees `settings`, and for an instance its `id` and its entry as `it`.
    ///
    /// # Errors
    /// When it cannot be read or does not work.
    pub fn render(
        &self,
        name: &str,
        settings: &Shared,
        instance: Option<(&str, &Value)>,
    ) -> Result<String, Error> {
        let path = self.dir.join(name);
        self.load(name, &path)?;
        let environment = self.environment.borrow();
        let template = environment.get_template(name).map_err(|error| failed(&path, &error))?;
        let (id, it) = instance.unzip();
        let it = minijinja::Value::from(Serde(it));
        let settings = &settings.0;
        template.render(context! { settings, id, it }).map_err(|error| failed(&path, &error))
    }

    /// What of the settings the template `name` looks at. One that cannot be read or makes no sense gives no text,
    /// whatever is set.
    #[must_use]
    pub fn reads(&self, name: &str) -> Reads {
        if self.load(name, &self.dir.join(name)).is_err() {
            return Reads::default();
        }
        let environment = self.environment.borrow();
        environment.get_template(name).map_or_else(|_| Reads::default(), |template| Reads::of(&template))
    }

    /// Reads the template `name` where that has not happened yet.
    fn load(&self, name: &str, path: &Path) -> Result<(), Error> {
        if self.environment.borrow().get_template(name).is_ok() {
            return Ok(());
        }
        let source = self.fs.read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let source = String::from_utf8_lossy(&source).into_owned();
        let added = self.environment.borrow_mut().add_template_owned(name.to_owned(), source);
        added.map_err(|error| failed(path, &error))
    }
}

fn failed(path: &Path, error: &minijinja::Error) -> Error {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    Error::Render { path: path.to_owned(), reason: format!("{line}{what}") }
}

fn wrong(reason: impl Into<String>) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, reason.into())
}

/// A text, number, truth value or list as TOML has it in one line.
fn toml_text(value: &Value) -> Result<String, minijinja::Error> {
    toml::Value::try_from(value)
        .map(|value| value.to_string())
        .map_err(|error| wrong(format!("{value} cannot be written as TOML: {error}")))
}

/// A value in an environment file of systemd: in double quotes, on one line.
fn env_text(text: &str) -> Result<String, minijinja::Error> {
    if text.contains(|c: char| c.is_control()) {
        return Err(wrong(format!("{text:?} holds a line break or a control character")));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use serde_json::json;

    use super::*;

    fn rendered(template: &str, settings: &Value) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t"), template).unwrap();
        Templates::new(&SystemFs, dir.path().to_owned())
            .render("t", &Shared::new(settings), Some(("admin", &json!({"enabled": true}))))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_template_sees_settings_and_its_instance() {
        let text = "{% for server in settings.ntp.servers %}\nserver {{ server }}\n{% endfor %}\n{{ id }}={{ it.enabled }}\n";
        let settings = json!({"ntp": {"servers": ["a", "b"]}});
        assert_eq!(rendered(text, &settings).unwrap(), "server a\nserver b\nadmin=true\n");
    }

    #[test]
    fn a_value_cannot_leave_the_place_that_it_is_put_in() {
        let settings = json!({"a": "x\"\ny = 1", "b": ["\\", "é"], "c": "$(rm) `x` \"y\" \\"});
        let text = rendered("a = {{ settings.a | toml }}\nb = {{ settings.b | toml }}\n", &settings).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["a"].as_str(), Some("x\"\ny = 1"));
        assert_eq!(table["b"].as_array().unwrap()[1].as_str(), Some("é"));
        assert_eq!(table.len(), 2);
        assert_eq!(rendered("C={{ settings.c | env }}", &settings).unwrap(), r#"C="\$(rm) \`x\` \"y\" \\""#);
        assert!(rendered("A={{ settings.a | env }}", &settings).unwrap_err().contains("line break"));
    }

    #[test]
    fn what_is_not_set_can_be_asked_for_and_what_does_not_exist_cannot() {
        let settings = json!({"network": {}});
        let asked = "{% if settings.network[\"https-proxy\"] %}proxy{% endif %}";
        assert_eq!(rendered(asked, &settings).unwrap(), "");
        assert!(rendered("\n{{ settings.network.proxy }}", &settings).unwrap_err().contains("line 2"));
        assert!(rendered("{% if settings.netwrok.proxy %}x{% endif %}", &settings).is_err());
        assert!(rendered("{% if %}", &settings).unwrap_err().starts_with("render the template"));
    }

    #[test]
    fn sizes_become_numbers() {
        let settings = json!({"limit": "2MiB", "wait": "1h30min", "bad": "many"});
        let text = "{{ settings.limit | bytes }} {{ settings.wait | seconds }}";
        assert_eq!(rendered(text, &settings).unwrap(), "2097152 5400");
        assert!(
            rendered("{{ settings.bad | bytes }}", &settings).unwrap_err().contains("no number of bytes")
        );
    }
}
