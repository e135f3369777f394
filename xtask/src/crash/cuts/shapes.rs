//! What a persistent partition comes to, up to what may differ between two ways to the same end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::story_log::plain;
use super::tree::{Hash, Node, Tree, hash};

/// Trees up to times, names that are drawn, and history: one line a name. Lines are made once.
pub(super) struct Shapes {
    /// What has to do with history in this story: parts of paths.
    history: &'static [&'static str],
    lines: Mutex<HashMap<(String, Hash), Arc<str>>>,
}

impl Shapes {
    pub(super) fn new(history: &'static [&'static str]) -> Self {
        Self { history, lines: Mutex::default() }
    }

    pub(super) fn of(&self, tree: &Tree) -> Vec<Arc<str>> {
        let mut known = self.lines.lock().expect("nobody panics while holding it");
        // What the API was asked last, and what it then found, is history as well. A name that ends in `.new` is removed
        // by the next writer of what it would have become.
        // What the spare store holds is an older store, whichever was the last one that a commit has left.
        let told = |path: &str| {
            path.contains("/record/history")
                || path.ends_with("/record/status.json")
                || path.contains("/datastore/.spare")
                // Without a note in it.
                || path.ends_with("/record/boot")
                || self.history.iter().any(|part| path.contains(part))
        };
        let begun = |path: &str| path.split('/').any(|name| name.starts_with('.') && name.ends_with(".new"));
        let left = left_behind(tree);
        let nodes = tree.nodes.iter().filter(|(path, _)| {
            !told(path) && !begun(path) && !left.iter().any(|dir| path.starts_with(dir.as_str()))
        });
        let mut lines: Vec<Arc<str>> = nodes
            .map(|(path, node)| {
                let key = (path.clone(), node.hash());
                Arc::clone(known.entry(key).or_insert_with(|| line(path, node).into()))
            })
            .collect();
        lines.sort();
        lines
    }
}

/// States of trust and cache that no link leads to, one of each: whoever writes there next removes it.
fn left_behind(tree: &Tree) -> Vec<String> {
    let links = tree.nodes.keys().filter(|path| path.contains("/update/") && path.ends_with("/current"));
    let bases = links.filter_map(|link| Some((link.strip_suffix("current")?, tree.resolve(link, true)?)));
    let unlinked = bases.flat_map(|(base, linked)| {
        let below = tree.nodes.range(base.to_owned()..).take_while(move |(path, _)| path.starts_with(base));
        let dirs = below.filter(|(_, node)| matches!(node, Node::Dir { .. })).map(|(path, _)| path);
        let left: Vec<&String> =
            dirs.filter(|path| !path[base.len()..].contains('/') && **path != linked).collect();
        // Only ever one: a writer that left more has removed none.
        if left.len() == 1 { left } else { Vec::new() }
    });
    unlinked.cloned().collect()
}

fn line(path: &str, node: &Node) -> String {
    let what = match node {
        Node::File { content, .. } => format!("{:032x}", timeless(&content.bytes)),
        Node::Dir { .. } => "directory".to_owned(),
        Node::Link { target } => format!("-> {}", plain(&target.to_string_lossy())),
    };
    format!("{} {what}", plain(path))
}

/// The hash of a file whose times are left out where it is JSON.
fn timeless(bytes: &[u8]) -> Hash {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return hash(bytes) };
    blank(&mut value);
    hash(value.to_string().as_bytes())
}

fn blank(value: &mut Value) {
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => text.clear(),
        Value::Array(all) => all.iter_mut().for_each(blank),
        Value::Object(all) => all.values_mut().for_each(blank),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::crash::cuts::tree::Content;

    #[test]
    fn a_state_that_no_link_leads_to_is_no_difference_and_one_that_is_linked_is() {
        let tree = |linked: &str, dirs: &[(&str, &[u8])]| {
            let mut tree = Tree::default();
            let base = "var/lib/update/trust/key";
            let link = Node::Link { target: PathBuf::from(linked) };
            tree.nodes.insert(format!("{base}/current"), link);
            for above in ["var", "var/lib", "var/lib/update", "var/lib/update/trust", base] {
                tree.nodes.insert(above.to_owned(), Node::Dir { mode: 0o755 });
            }
            for (dir, bytes) in dirs {
                tree.nodes.insert(format!("{base}/{dir}"), Node::Dir { mode: 0o755 });
                let file = Node::File { content: Content::new(bytes), mode: 0o644 };
                tree.nodes.insert(format!("{base}/{dir}/snapshot.json"), file);
            }
            Shapes::new(&[]).of(&tree)
        };
        let alone = tree("aaaaaaaaaaaaaaaaaaaa", &[("aaaaaaaaaaaaaaaaaaaa", b"new")]);
        let old: (&str, &[u8]) = ("bbbbbbbbbbbbbbbbbbbb", b"old");
        let beside = tree("aaaaaaaaaaaaaaaaaaaa", &[("aaaaaaaaaaaaaaaaaaaa", b"new"), old]);
        let behind = tree("bbbbbbbbbbbbbbbbbbbb", &[("aaaaaaaaaaaaaaaaaaaa", b"new"), old]);
        assert_eq!(alone, beside);
        assert_ne!(alone, behind);
    }
}
