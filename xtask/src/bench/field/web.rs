//! nginx on loopback, and the bytes that it sent.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::bench::tools::command;

/// A web server of our own. Dropping it ends it.
pub(crate) struct Web {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Web {
    /// Serves `dir`; its own files lie in `work`.
    pub(crate) fn start(dir: &Path, work: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(work)?;
        // Free a moment ago; nginx wants to know it beforehand.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (log, file) = (work.join("access.log"), work.join("nginx.conf"));
        fs::write(&log, "")?;
        fs::write(&file, configuration(dir, work, port))?;
        let child = command("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(work)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::from(fs::File::create(work.join("nginx.err"))?))
            .spawn()
            .map_err(|error| format!("start nginx: {error}"))?;
        let mut web = Self { child, port, log };
        for _ in 0..200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(web);
            }
            if web.child.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let words = fs::read_to_string(work.join("nginx.err")).unwrap_or_default();
        Err(format!("start nginx: {}", words.trim()).into())
    }

    /// Where `path` is served.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Where it listens on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Forgets what was asked for.
    pub(crate) fn forget(&self) -> Result<(), Box<dyn Error>> {
        self.settle()?;
        Ok(fs::write(&self.log, "")?)
    }

    /// What was asked for since: path and bytes sent, headers counted.
    pub(crate) fn sent(&self) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
        self.settle()?;
        Ok(parse(&fs::read_to_string(&self.log)?))
    }

    /// Waits until everything that is over is in the log: a client may have its last byte before that is written. The only
    /// worker does one thing after the other, and so answers this when it has done so.
    fn settle(&self) -> Result<(), Box<dyn Error>> {
        let mut answer = Vec::new();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.write_all(b"GET /settled HTTP/1.0\r\n\r\n")?;
        stream.read_to_end(&mut answer)?;
        let done = answer.starts_with(b"HTTP/1.1 204 ");
        done.then_some(()).ok_or_else(|| "ask nginx whether its log is written".into())
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // Its worker goes with it only if it is asked.
        let _ = command("kill").arg("-QUIT").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn configuration(dir: &Path, work: &Path, port: u16) -> String {
    let (dir, work) = (dir.display(), work.display());
    format!(
        "daemon off;\nworker_processes 1;\npid {work}/nginx.pid;\nerror_log stderr warn;\nuser root;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  log_format bytes '$request_uri $bytes_sent';\n  access_log {work}/access.log bytes;\n  \
         client_body_temp_path {work}/body;\n  proxy_temp_path {work}/proxy;\n  fastcgi_temp_path {work}/fastcgi;\n  \
         uwsgi_temp_path {work}/uwsgi;\n  scgi_temp_path {work}/scgi;\n  sendfile on;\n  keepalive_requests 1000000;\n  \
         server {{ listen 127.0.0.1:{port}; root {dir}; location = /settled {{ access_log off; return 204; }} }}\n}}\n"
    )
}

/// Lines of `PATH BYTES`.
fn parse(log: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let (path, bytes) = line.rsplit_once(' ')?;
        Some((path.split('?').next()?.to_owned(), bytes.parse().ok()?))
    };
    log.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read_without_queries_and_half_lines() {
        let log = "/a/timestamp.json?version=1.0.0 200\n/targets/x.lz4 1234\n/targets/y";
        assert_eq!(parse(log), [("/a/timestamp.json".to_owned(), 200), ("/targets/x.lz4".to_owned(), 1234)]);
    }
}
