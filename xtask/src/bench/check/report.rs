//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::cost::{Client, Cost, Finds, ROUNDS};
use super::link::Download;

/// One line: a manifest and a client.
pub(super) struct Row {
    pub(super) updates: u64,
    pub(super) finds: Finds,
    pub(super) client: Client,
    pub(super) cost: Cost,
}

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) rows: Vec<Row>,
    pub(super) download: Download,
}

impl Figures {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "updates": row.updates,
                    "finds": found(row.finds),
                    "client": name(row.client),
                    "requests": row.cost.requests,
                    "wire_bytes": row.cost.bytes,
                    "cpu_ms": row.cost.cpu.as_secs_f64() * 1000.0,
                })
            })
            .collect();
        let Download { length, requests, sent, received, took } = self.download;
        json!({
            "check_update": rows,
            "download": {
                "length": length,
                "requests": requests,
                "sent": sent,
                "received": received,
                "sent_twice": self.download.sent_twice(),
                "received_twice": self.download.received_twice(),
                "seconds": took.as_secs_f64(),
            },
        })
        .to_string()
    }

    /// Two tables.
    pub(super) fn table(&self) -> String {
        let mut text = format!("updog check-update, nothing has changed; medians of {ROUNDS}\n");
        let _ = writeln!(
            text,
            "  {:>7}  {:<11}{:<16}{:>9}{:>14}{:>11}{:>8}",
            "updates", "finds", "client", "requests", "bytes on wire", "CPU", "ratio"
        );
        for Row { updates, finds, client, cost } in &self.rows {
            let cpu = format!("{:.1} ms", cost.cpu.as_secs_f64() * 1000.0);
            let forgets = |other: &&Row| {
                other.client == Client::Forgets && (other.updates, other.finds) == (*updates, *finds)
            };
            let beside = self.rows.iter().find(forgets).map_or(1.0, |other| other.cost.cpu.as_secs_f64());
            let _ = writeln!(
                text,
                "  {updates:>7}  {:<11}{:<16}{:>9}{:>14}{cpu:>11}{:>8.2}",
                found(*finds),
                name(*client),
                cost.requests,
                cost.bytes,
                cost.cpu.as_secs_f64() / beside
            );
        }
        let Download { length, requests, sent, received, took } = self.download;
        let _ = write!(
            text,
            "\nA download over a link that is capped and reset again and again\n  \
             {} in {:.1} s and {requests} requests\n  \
             sent:     {sent} bytes, {:.3} % of the target twice\n  \
             received: {received} bytes, {:.3} % of the target twice",
            bytes(length),
            took.as_secs_f64(),
            self.download.sent_twice() * 100.0,
            self.download.received_twice() * 100.0,
        );
        text
    }
}

fn found(finds: Finds) -> &'static str {
    match finds {
        Finds::Nothing => "nothing",
        Finds::Update => "an update",
    }
}

fn name(client: Client) -> &'static str {
    match client {
        Client::Remembers => "with memory",
        Client::Forgets => "without memory",
    }
}

/// A number of bytes for people.
pub(super) fn bytes(count: u64) -> String {
    if count >= 1_000_000 { format!("{} MB", count / 1_000_000) } else { format!("{} KB", count / 1000) }
}
