//! What `dist/monitoring` has for Prometheus, against the metrics that there are, and against a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testdata::{BootFault, FaultyServer, Host, Release, World};
use updog::tell::metrics::families::{FAMILIES, PREFIX};

const HOSTS: usize = 30;
/// How many of them take the release that panics.
const EARLY: usize = 4;
/// How long the slowest machine may take for what takes Prometheus seconds.
const PATIENCE: Duration = Duration::from_secs(120);

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/monitoring").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(shipped(name)).unwrap()
}

/// Every expression of the dashboard.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The words of `text` that may be metrics of ours, or numbers that the rules record.
fn names(text: &str) -> BTreeSet<&str> {
    let word = |at: char| at.is_ascii_alphanumeric() || at == '_' || at == ':';
    text.split(|at| !word(at)).filter(|word| word.starts_with("update_stack")).collect()
}

#[test]
fn rules_and_dashboard_name_only_what_there_is() {
    let rules = read("rules.yml");
    let recorded: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let known: BTreeSet<String> = FAMILIES
        .iter()
        .map(|family| format!("{PREFIX}{}", family.name))
        .chain(recorded.iter().map(|&name| name.to_owned()))
        .collect();
    let expressions: String =
        rules.lines().filter(|line| !line.contains("- name: ")).flat_map(|line| [line, "\n"]).collect();
    for text in [expressions, dashboard().join("\n"), read("rules.test.yml").replace("alertname", "")] {
        let unknown: Vec<&str> = names(&text).into_iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(names(&text).len() > 5);
    }
    // And every alert has its test and its row.
    let page = fs::read_to_string(shipped("../../docs/metrics.md")).unwrap();
    let tests = read("rules.test.yml");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
        assert!(page.contains(&format!("| `{alert}` |")), "{alert} has no row");
    }
}

/// A Prometheus of our own; it ends with this.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// One that scrapes every second what `hosts` wrote, which `web` serves from `top`; `None` where there is none here.
    fn start(dir: &Path, web: &FaultyServer, top: &Path, hosts: &[Host]) -> Option<Self> {
        // Nobody waits for an hour here: what is true is told at once.
        let at_once = read("rules.yml")
            .lines()
            .map(|line| match line.trim_start().strip_prefix("for: ") {
                Some(_) => "        for: 0s\n".to_owned(),
                None => format!("{line}\n"),
            })
            .collect::<String>();
        fs::write(dir.join("rules.yml"), at_once).unwrap();
        let mut config = String::from(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [rules.yml]\nscrape_configs:\n- job_name: hosts\n  static_configs:\n",
        );
        for (at, host) in hosts.iter().enumerate() {
            let file = host.paths().metrics();
            let path = file.strip_prefix(top).expect("it lies below what is served").display().to_string();
            config += &format!(
                "  - targets: [\"{}\"]\n    labels: {{instance: host-{at}, __metrics_path__: \"/{path}\"}}\n",
                web.address()
            );
        }
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let listening = log.find(|line| line.contains("\"Listening on\"")).expect("it says where it listens");
        let address = listening.rsplit_once("address=").expect("an address").1.to_owned();
        // Whatever else it says is read, so that it never waits for us.
        std::thread::spawn(move || log.for_each(drop));
        let started = Self { child, address };
        started.until("it is ready", |it| it.head_and_body("/-/ready").contains(" 200 "));
        Some(started)
    }

    /// The answer to an expression.
    fn ask(&self, expression: &str) -> Vec<Value> {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={query}"));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The only number that an expression gives.
    fn number(&self, expression: &str) -> Option<f64> {
        let found = self.ask(expression);
        found.first().map(|sample| sample["value"][1].as_str().unwrap().parse().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.head_and_body(path);
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    fn head_and_body(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Waits until `is` holds; what it waits for comes with a scrape, which nobody announces.
    #[expect(clippy::disallowed_methods, reason = "bounds a wait")]
    fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !is(self) {
            assert!(Instant::now() < give_up, "{what}: {}", self.get("/api/v1/alerts"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Does the same on all hosts, several at a time.
fn on_all(hosts: &mut [Host], errand: impl Fn(&mut Host) + Sync) {
    std::thread::scope(|scope| {
        for some in hosts.chunks_mut(HOSTS.div_ceil(4)) {
            let errand = &errand;
            scope.spawn(move || some.iter_mut().for_each(errand));
        }
    });
}

#[test]
fn a_rollout_that_fails_is_seen_by_a_real_prometheus_that_scrapes_thirty_hosts() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no prometheus here: cargo xtask setup --for monitoring");
        return;
    }
    let world = World::new();
    let mut hosts: Vec<Host> = (0..HOSTS).map(|_| world.host("1.0.0")).collect();
    on_all(&mut hosts, |host| {
        host.boot();
        host.set("updates.metrics", "true");
        let _ = host.run("updog", &["metrics", "--write"]).expect_ok();
    });
    let web = FaultyServer::start(world.dir());
    let dir = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(dir.path(), &web, world.dir(), &hosts).expect("it is here");
    let all = f64::from(u32::try_from(HOSTS).unwrap());
    let early = f64::from(u32::try_from(EARLY).unwrap());
    let proven =
        "count(update_stack_release_info{version=\"1.0.0\"} and on (instance) update_stack_boot_proven == 1)";
    prometheus.until("all hosts are scraped", |it| it.number(proven) == Some(all));
    prometheus.until("who never asked is told", |it| {
        it.number("count(ALERTS{alertname=\"UpdateHostNotChecking\"})") == Some(all)
    });

    world.publish(Release::new("1.1.0").boot_fault(BootFault::Panic));
    on_all(&mut hosts, |host| {
        let _ = host.run("updog", &["check-update"]).expect_ok();
    });
    prometheus.until("all hosts have chosen", |it| {
        it.number("count(update_stack_chosen_release_info{version=\"1.1.0\"})") == Some(all)
            && it.ask("ALERTS").is_empty()
    });

    on_all(&mut hosts[..EARLY], |host| {
        let _ = host.run("updog", &["update"]).expect_ok();
        assert_eq!(host.reboot().booted().unwrap().version.as_deref(), Some("1.0.0"), "it is back");
        let _ = host.run("updog", &["check-update"]);
    });
    prometheus.until("the rollout is seen to fail", |it| {
        it.number("update_stack:release_hosts_failed{version=\"1.1.0\"}") == Some(early)
            && it.number("ALERTS{alertname=\"UpdateRolloutFailing\",version=\"1.1.0\"}") == Some(1.0)
    });
    let alerts = prometheus.ask("ALERTS");
    assert_eq!(alerts.len(), 1, "and nothing else is wrong: {alerts:?}");
    assert_eq!(prometheus.number(proven), Some(all), "every host is back and proven");

    for expression in dashboard() {
        prometheus.ask(&expression);
    }
    assert!(prometheus.number("sum(update_stack_image_bytes_total{source=\"network\"})").unwrap() > 0.0);
}
