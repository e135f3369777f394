//! A day of a host: settings as the model's own grammar lets them be, restarts, kills, boots and updates, drawn from a
//! seed. Every ten minutes of it something happens, and each time the API answers.
//!
//! Time is a number here: nothing waits. `APISERVER_DAY=SEED:HOURS` lives through another and longer one by hand:
//!
//! ```sh
//! APISERVER_DAY=7:240 cargo nextest run -p apiserver -E 'test(a_day)' --no-capture
//! ```

use std::path::Path;

use datastore::links::{self, Chain};
use host_io::SystemFs;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use settings_model::kind::TextRule;
use settings_model::{Format, Kind, Model, Setting};

use crate::host::{Host, MODEL, Server};

/// What is lived through where nobody says otherwise.
const SEED: u64 = 13;
const HOURS: u32 = 6;
/// Something happens every ten minutes.
const AN_HOUR: u32 = 6;

/// What the next release does to the image: a template that asks for what is not set, a model of other rules.
const STRANGE: &str = r#"
[[setting]]
key = "settings.ntp.mode"
type = "integer"

[[service]]
name = "strange"
settings = ["settings.motd"]

[[service.file]]
path = "/etc/strange"
template = "strange"
"#;

struct Day {
    host: Host,
    runner: TestRunner,
    version: u64,
    told: Told,
}

#[derive(Debug, Default)]
struct Told {
    changes: u32,
    taken: u32,
    refused: u32,
    starts: u32,
    updates: u32,
}

impl Day {
    fn new(seed: u64) -> Self {
        let host = Host::new();
        host.install_program("systemctl", "case \"$*\" in *b*) exit 1 ;; esac\n");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let runner = TestRunner::new_with_rng(Config::default(), rng);
        Self { host, runner, version: 0, told: Told::default() }
    }

    /// A number below `end`.
    fn draw(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.runner).unwrap().current()
    }

    fn model(&self) -> Model {
        Model::load_usable(&SystemFs, &self.host.paths().settings_model()).unwrap().0
    }

    /// A value that the setting takes, or, one time in eight, any.
    fn value(&mut self, setting: &Setting) -> Value {
        if self.draw(8) == 0 {
            let strange =
                [json!(null), json!(7), json!(""), json!(["", "\u{7}"]), json!("\u{1}\n\"$`\\"), json!({})];
            return strange[self.draw(strange.len())].clone();
        }
        match &setting.kind {
            Kind::String(rule) => json!(self.text(rule)),
            Kind::Integer { min, max } => {
                let ends = [*min, *max, (min / 2).wrapping_add(max / 2)];
                json!(ends[self.draw(3)])
            }
            Kind::Boolean => json!(self.draw(2) == 0),
            Kind::Strings(rule) => (0..self.draw(4)).map(|_| json!(self.text(rule))).collect(),
        }
    }

    fn text(&mut self, rule: &TextRule) -> String {
        if !rule.values.is_empty() {
            return rule.values[self.draw(rule.values.len())].clone();
        }
        let samples: &[&str] = match rule.format {
            None => {
                let pattern =
                    rule.pattern.as_ref().map_or_else(|| "(?s).{0,80}".to_owned(), ToString::to_string);
                let any = proptest::string::string_regex(&pattern).unwrap();
                return any.new_tree(&mut self.runner).unwrap().current();
            }
            Some(Format::Url) => &["https://a.example/x", "file:///tmp/'\"$x/", "x+y://[::1]:1/%20"],
            Some(Format::Version | Format::VersionOrLatest) => &["1.2.3", "v0.0.1-rc.1+b", "99999999.0.0"],
            Some(Format::Host) => &["a.example", "::1", "a_b."],
            Some(Format::Proxy) => &["p:1", "http://u:p%20w@p.example:3128", "[::1]:8080"],
            Some(Format::ProxyException) => &["*", "*.a.example:443", "[::1]:80", "fd00::/8"],
            Some(Format::Bytes) => &["0", "512KiB", "18014398509481983KiB"],
            Some(Format::Duration) => &["0s", "1h30min", "90s"],
            Some(Format::Time) => &["2026-12-24T08:00:00Z", "1970-01-01T00:00:00+14:00"],
            Some(Format::Window) => &["Sat 02:00-05:00 Europe/Berlin", "daily 22:00-02:00"],
            Some(Format::Base64) => &["", "aGk=", "/////w=="],
            Some(_) => &["x"],
        };
        samples[self.draw(samples.len())].to_owned()
    }

    /// A patch of a few settings.
    fn patch(&mut self) -> Value {
        let model = self.model();
        let settings: Vec<&Setting> = model.settings().collect();
        let mut patch = json!({});
        for _ in 0..=self.draw(3) {
            let setting = settings[self.draw(settings.len())];
            let id = ["a", "b", "admin-1"][self.draw(3)];
            let value = self.value(setting);
            let name = setting.name.to_string();
            let mut at = &mut patch;
            for segment in name.split('.').skip(1) {
                let segment = if segment.starts_with('<') { id } else { segment };
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at = &mut at[segment];
            }
            *at = value;
        }
        patch
    }

    fn change(&mut self, server: &Server) {
        self.told.changes += 1;
        let status = match self.draw(4) {
            0 => {
                let names = [
                    "motd",
                    "host-containers.a",
                    "network",
                    "updates.mirrors",
                    "updates.seed",
                    "ntp",
                    "nothing",
                ];
                let name = names[self.draw(names.len())];
                match server.delete(&format!("/settings?keys={name}")).status {
                    204 => server.post("/tx/commit_and_apply").status,
                    refused => refused,
                }
            }
            kind => {
                let kind = if kind == 1 { "application/json" } else { "application/merge-patch+json" };
                let body = self.patch().to_string();
                server.change(kind, &body).status
            }
        };
        assert!([200, 400, 404, 422, 500].contains(&status), "{status}");
        if status >= 400 {
            server.delete("/tx").ok();
        }
        *(if status == 200 { &mut self.told.taken } else { &mut self.told.refused }) += 1;
    }

    /// What is always so.
    fn look(&self, server: &Server) {
        let settings = server.get("/settings").ok();
        assert!(settings["updates"]["seed"].is_i64(), "{settings}");
        server.get("/os").ok();
        assert!([200, 503].contains(&server.get("/health").status));
        server.get("/tx/list").ok();
    }

    fn start(&mut self) -> Server {
        self.told.starts += 1;
        let server = self.host.serve();
        self.look(&server);
        server
    }

    /// Another release takes over the store as it is, as one without migrations does, and may know it otherwise.
    fn update(&mut self) {
        self.told.updates += 1;
        self.version += 1;
        let version = format!("1.{}.0", self.version);
        let base = self.host.paths().datastore();
        let live = links::read(&SystemFs, &base).unwrap().unwrap();
        let wanted = Chain { version: version.parse().unwrap(), data_dir: live.data_dir.clone() };
        links::apply(&SystemFs, &base, &links::plan(Some(&live), &wanted)).unwrap();
        links::prune(&SystemFs, &base, &[&live.data_dir]).unwrap();
        if self.draw(3) == 0 {
            let addresses = MODEL.split("[[setting]]").next().unwrap();
            self.host.release(&version, &format!("{addresses}{STRANGE}"));
            let template = self.host.paths().templates().join("strange");
            self.host.write(&template, "{{ settings.network[\"https-proxy\"] }}{{ settings.motd | env }}\n");
        } else {
            self.host.release(&version, MODEL);
        }
        std::fs::remove_dir_all(self.host.root().join("etc")).unwrap();
        self.host.reboot();
    }

    /// Something is damaged while nobody looks.
    fn damage(&mut self) {
        let keys = ["motd", "ntp.mode", "updates.version-lock", "network.no-proxy"];
        let key = keys[self.draw(keys.len())];
        let path = self.host.stored(key);
        let bytes: &[u8] = [&b""[..], b"\0\0\0", b"{}", b"\"x\"", b"17"][self.draw(5)];
        if path.parent().is_some_and(Path::is_dir) {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn live_through(seed: u64, hours: u32) -> Told {
    let mut day = Day::new(seed);
    let mut server = day.start();
    for _ in 0..hours * AN_HOUR {
        match day.draw(20) {
            0..15 => {
                for _ in 0..3 {
                    day.change(&server);
                }
            }
            15 => {
                assert_eq!(server.stop(), Some(0));
                server = day.start();
            }
            16 => {
                server.kill();
                server = day.start();
            }
            17 => {
                server.kill();
                day.host.reboot();
                server = day.start();
            }
            18 => {
                server.kill();
                day.damage();
                server = day.start();
            }
            _ => {
                server.kill();
                day.update();
                server = day.start();
            }
        }
        day.look(&server);
    }
    // Whatever is in force by now, a person can go on from it.
    server.change("application/json", r#"{"motd":"the end"}"#);
    assert_eq!(server.get("/settings").ok()["motd"], "the end");
    day.told
}

#[test]
fn a_day_of_anything_ends_with_an_api_that_answers() {
    let wished = std::env::var("APISERVER_DAY").unwrap_or_else(|_| format!("{SEED}:{HOURS}"));
    let (seed, hours) = wished.split_once(':').unwrap();
    let told = live_through(seed.parse().unwrap(), hours.parse().unwrap());
    println!("seed {seed}, {hours} h: {told:?}");
    assert!(told.taken > 0 && told.refused > 0 && told.starts > 1, "{told:?}");
}
