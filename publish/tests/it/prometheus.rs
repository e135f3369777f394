//! Monitoring for tests: a web server that answers known questions as Prometheus does, and the real one's own judgement of
//! our questions.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use publish::guard::{Counts, Questions, Subject};

/// A web server on a free port of the loopback that answers each known question with its number, and any other with 400.
pub(crate) struct FakePrometheus {
    address: String,
    known: Arc<Mutex<HashMap<String, String>>>,
}

impl FakePrometheus {
    /// It answers until the test ends: nothing of it outlives the process.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = format!("http://{}/prom/", listener.local_addr().expect("bound"));
        let known = Arc::new(Mutex::new(HashMap::new()));
        let answers = Arc::clone(&known);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || drop(serve(stream, &answers)));
            }
        });
        Self { address, known }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on these are the numbers about `subject`.
    pub(crate) fn knows(&self, subject: &Subject, counts: Counts) {
        let Questions { heard, failed, wordless, no_room, running, proven, lost, others, others_lost } =
            Questions::about(subject);
        for (question, number) in [
            (heard, counts.heard),
            (failed, counts.failed),
            (wordless, counts.wordless),
            (no_room, counts.no_room),
            (running, counts.running),
            (proven, counts.proven),
            (lost, counts.lost),
            (others, counts.others),
            (others_lost, counts.others_lost),
        ] {
            self.answers(question, &number.to_string());
        }
    }

    /// From now on this is the answer to a question.
    pub(crate) fn answers(&self, question: String, number: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(question, number.to_owned());
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<HashMap<String, String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let asked = first.split(' ').nth(1).unwrap_or_default();
        let url = url::Url::parse("http://here").and_then(|base| base.join(asked)).expect("a path");
        let question =
            url.query_pairs().find(|(name, _)| name == "query").map(|(_, value)| value.into_owned());
        let known = answers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = question.and_then(|question| known.get(&question).cloned());
        let number = number.filter(|_| url.path() == "/prom/api/v1/query");
        let (status, body) = match number {
            Some(number) => (
                "200 OK",
                format!(
                    r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1780000000.5,"{number}"]}}]}}}}"#
                ),
            ),
            None => ("400 Bad Request", r#"{"status":"error","error":"nobody knows"}"#.to_owned()),
        };
        drop(known);
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

/// A fleet as Prometheus would have scraped it once a minute, from minute 0 on; what the questions are at a minute.
pub(crate) struct Series {
    text: String,
    subject: Subject,
}

impl Series {
    pub(crate) fn of(subject: Subject) -> Self {
        Self { text: String::new(), subject }
    }

    /// Values of one series, in the notation of `promtool test rules`: `_` is a scrape that had none.
    pub(crate) fn say(&mut self, instance: &str, name: &str, labels: &str, values: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let series = format!(r#"update_stack_{name}{{job="hosts",instance="{instance}"{comma}{labels}}}"#);
        self.text += &format!("      - series: '{series}'\n        values: '{values}'\n");
    }

    /// Has `promtool` judge whether these are the numbers at `minute`. Says why not.
    pub(crate) fn judged(&self, minute: u64, counts: Counts) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a directory");
        let questions = Questions::about(&self.subject);
        let mut tests = String::new();
        for (question, number) in [
            (&questions.heard, counts.heard),
            (&questions.failed, counts.failed),
            (&questions.wordless, counts.wordless),
            (&questions.no_room, counts.no_room),
            (&questions.running, counts.running),
            (&questions.proven, counts.proven),
            (&questions.lost, counts.lost),
            (&questions.others, counts.others),
            (&questions.others_lost, counts.others_lost),
        ] {
            tests +=
                &format!("      - expr: '{question}'\n        eval_time: {minute}m\n        exp_samples:\n");
            // What counts nothing has no sample.
            if number > 0 {
                tests += &format!("          - labels: '{{}}'\n            value: {number}\n");
            }
        }
        let text = format!(
            "rule_files: []\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{}    promql_expr_test:\n{tests}",
            self.text
        );
        let path = dir.path().join("questions.yml");
        std::fs::write(&path, &text).expect("written");
        let output = std::process::Command::new("promtool").args(["test", "rules"]).arg(&path).output();
        let output = output.expect("it runs");
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "{}{}\n{text}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// Whether a program is there; a test that needs it says that it was skipped.
pub(crate) fn has(program: &str) -> bool {
    let there = std::process::Command::new(program).arg("--version").output().is_ok();
    if !there {
        println!("SKIPPED: there is no {program} on this machine");
    }
    there
}

/// Debian's Prometheus over hosts that say what a test wants. Ended with it.
pub(crate) struct RealPrometheus {
    child: std::process::Child,
    address: String,
    hosts: Arc<Mutex<HashMap<String, String>>>,
    _dir: tempfile::TempDir,
}

impl RealPrometheus {
    /// Scrapes these hosts every second; each says nothing yet.
    pub(crate) fn start(hosts: &[String]) -> Self {
        let said = Arc::new(Mutex::new(HashMap::new()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let exporter = listener.local_addr().expect("bound");
        let answers = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                // A scrape that is given up is tried again a second later.
                std::thread::spawn(move || drop(export(stream, &answers)));
            }
        });
        let dir = tempfile::tempdir().expect("a directory");
        let mut configuration = "scrape_configs:\n  - job_name: hosts\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    static_configs:\n".to_owned();
        for host in hosts {
            configuration += &format!(
                "      - targets: ['{exporter}']\n        labels: {{__metrics_path__: '/{host}', instance: '{host}'}}\n"
            );
        }
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, configuration).expect("written");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let listen = free.local_addr().expect("bound").to_string();
        drop(free);
        let child = std::process::Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it runs");
        Self { child, address: format!("http://{listen}/"), hosts: said, _dir: dir }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on a host says this.
    pub(crate) fn says(&self, host: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("update_stack_{line}\n")).collect();
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("/{host}"), text);
    }
}

impl Drop for RealPrometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What node_exporter answers, by the path that tells the host.
fn export(mut stream: TcpStream, said: &Mutex<HashMap<String, String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let text = said.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned().unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}
