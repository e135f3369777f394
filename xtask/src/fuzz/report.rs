//! What libFuzzer said, as numbers and as a table.

use std::fmt::Write as _;

/// The numbers of one run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Inputs that were tried.
    pub(crate) executions: u64,
    /// On average, a second.
    pub(crate) per_second: u64,
    /// Edges of the program that were reached.
    pub(crate) edges: u64,
    /// Features: edges with how often, and comparisons.
    pub(crate) features: u64,
}

impl Said {
    /// Reads a log. What is not in it is 0.
    pub(crate) fn parse(log: &str) -> Self {
        let statistic = |name: &str| {
            let value = log.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().parse().ok()
        };
        let status = |line: &str, name: &str| -> Option<u64> {
            let mut words = line.split_whitespace().skip_while(|word| *word != name);
            words.nth(1)?.parse().ok()
        };
        let last = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "));
        let count = |name| last.and_then(|line| status(line, name)).unwrap_or_default();
        Self {
            executions: statistic("stat::number_of_executed_units:").unwrap_or_default(),
            per_second: statistic("stat::average_exec_per_sec:").unwrap_or_default(),
            edges: count("cov:"),
            features: count("ft:"),
        }
    }

    /// The numbers of this run and of a `later` one, which went on from where this one ended.
    pub(crate) fn and(self, later: Self) -> Self {
        Self { executions: self.executions + later.executions, ..later }
    }
}

/// One target's line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) said: Said,
    /// Where each finding lies, or how the target ended otherwise.
    pub(crate) findings: Vec<String>,
}

/// All targets, and a sum.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<20}{:>14}{:>10}{:>10}{:>10}{:>10}\n",
        "target", "executions", "exec/s", "edges", "features", "findings"
    );
    for Row { name, said, findings } in rows {
        let _ = writeln!(
            text,
            "{name:<20}{:>14}{:>10}{:>10}{:>10}{:>10}",
            said.executions,
            said.per_second,
            said.edges,
            said.features,
            findings.len()
        );
    }
    let executions: u64 = rows.iter().map(|row| row.said.executions).sum();
    let findings: usize = rows.iter().map(|row| row.findings.len()).sum();
    let _ = write!(text, "{} targets, {executions} executions, {findings} findings", rows.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 1\n\
        #2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
        #524288\tpulse  cov: 532 ft: 1244 corp: 100/3kb lim: 4096 exec/s: 123 rss: 100Mb\n\
        #600000\tDONE   cov: 533 ft: 1250 corp: 101/3kb lim: 4096 exec/s: 120 rss: 100Mb\n\
        stat::number_of_executed_units: 600000\n\
        stat::average_exec_per_sec:     120\n";

    #[test]
    fn the_last_word_of_a_run_counts() {
        let said = Said { executions: 600_000, per_second: 120, edges: 533, features: 1250 };
        assert_eq!(Said::parse(LOG), said);
        assert_eq!(Said::parse("error: could not compile"), Said::default());
        assert_eq!(Said { executions: 400_000, ..said }.and(said), Said { executions: 1_000_000, ..said });
    }

    #[test]
    fn the_table_counts_findings() {
        let row = |findings: Vec<String>| Row { name: "pin".to_owned(), said: Said::parse(LOG), findings };
        let text = table(&[row(Vec::new()), row(vec!["crash-1".to_owned()])]);
        assert_eq!(text.lines().count(), 4);
        assert!(text.ends_with("2 targets, 1200000 executions, 1 findings"), "{text}");
    }
}
