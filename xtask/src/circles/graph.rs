//! From names to arrows, and from arrows to circles.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Module, ModulePath};

/// More steps than this through re-exports lead nowhere.
const MOST_STEPS: usize = 16;

type Modules = BTreeMap<ModulePath, Module>;

/// From each file to those whose items it names, and by which names.
type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Files of which each reaches every other.
pub(super) struct Circle {
    /// In the order of their names.
    pub(super) files: Vec<String>,
    /// Who names what of whom among them: from, to, and the names.
    pub(super) arrows: Vec<(String, String, BTreeSet<String>)>,
}

/// The circles among the files.
pub(super) fn circles(modules: &Modules) -> Vec<Circle> {
    let arrows = arrows(modules);
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|file| (file.as_str(), reach(file, &arrows))).collect();
    let mut circles = BTreeSet::new();
    for (file, below) in &reached {
        if below.contains(file) {
            let circle =
                below.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
            circles.insert(circle.map(|file| (*file).to_owned()).collect::<Vec<_>>());
        }
    }
    circles.into_iter().map(|files| Circle { arrows: among(&files, &arrows), files }).collect()
}

/// The arrows that neither begin nor end elsewhere.
fn among(files: &[String], arrows: &Arrows) -> Vec<(String, String, BTreeSet<String>)> {
    let mut found = Vec::new();
    for from in files {
        for (to, names) in arrows.get(from).into_iter().flatten().filter(|(to, _)| files.contains(to)) {
            found.push((from.clone(), to.clone(), names.clone()));
        }
    }
    found
}

/// All files that can be reached from one, itself only if there is a way back.
fn reach<'a>(file: &str, arrows: &'a Arrows) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&str> = vec![file];
    while let Some(next) = todo.pop() {
        for other in arrows.get(next).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(other.as_str()) {
                todo.push(other);
            }
        }
    }
    reached
}

/// Which file names something of which others.
fn arrows(modules: &Modules) -> Arrows {
    let mut arrows = Arrows::new();
    for (path, module) in modules.iter().filter(|(_, module)| module.is_node) {
        let below = arrows.entry(module.file.clone()).or_default();
        for used in &module.used {
            let Some(other) = resolve(modules, path, used, MOST_STEPS).filter(|other| *other != path) else {
                continue;
            };
            if let Some(other) = modules.get(other).filter(|other| other.is_node) {
                below.entry(other.file.clone()).or_default().extend(used.last().cloned());
            }
        }
    }
    arrows
}

/// The module in which what a path names, as it is written in `from`, is defined. None for what is not of this crate.
fn resolve<'a>(
    modules: &'a Modules,
    from: &[String],
    path: &[String],
    steps: usize,
) -> Option<&'a ModulePath> {
    if steps == 0 {
        return None;
    }
    let (first, rest) = path.split_first()?;
    let (mut here, mut rest): (ModulePath, &[String]) = match first.as_str() {
        "crate" => (Vec::new(), rest),
        "self" => (from.to_vec(), rest),
        "super" => (from.split_last()?.1.to_vec(), rest),
        name => {
            // A child, or a name that was brought into scope; anything else is another crate's.
            if modules.contains_key(&[from, &[name.to_owned()]].concat()) {
                (from.to_vec(), path)
            } else {
                let known = modules.get(from)?.names.get(name)?;
                if known.first().is_some_and(|start| start == name) {
                    return None;
                }
                return resolve(modules, from, &[&known[..], rest].concat(), steps - 1);
            }
        }
    };
    while let Some((next, after)) = rest.split_first() {
        if next == "super" {
            here.pop()?;
            rest = after;
            continue;
        }
        let child = [&here[..], std::slice::from_ref(next)].concat();
        if modules.contains_key(&child) {
            (here, rest) = (child, after);
            continue;
        }
        let module = modules.get(&here)?;
        if let Some(known) = module.names.get(next) {
            let elsewhere = resolve(modules, &here, &[&known[..], after].concat(), steps - 1);
            if elsewhere.is_some() {
                return elsewhere;
            }
        }
        // A name of its own; or one of those that it takes from others all together.
        if !module.is_node {
            let taken = module.globs.iter().find_map(|glob| {
                resolve(modules, &here, &[&glob[..], std::slice::from_ref(next)].concat(), steps - 1)
            });
            if taken.is_some() {
                return taken;
            }
        }
        break;
    }
    modules.get_key_value(&here).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::circles::modules::load;

    fn crate_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let place = folder.path().join(file);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        }
        let found = circles(&load(Path::new(folder.path()), "src/lib.rs").unwrap());
        found.into_iter().map(|circle| circle.files).collect()
    }

    #[test]
    fn files_below_one_another_are_no_circle() {
        let found = crate_of(&[
            ("src/lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("src/a.rs", "use crate::B; pub struct A(B);"),
            ("src/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::A; fn f(_: A) {} }"),
        ]);
        assert_eq!(found, Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_circle_is_found_through_re_exports_and_whole_paths() {
        let found = crate_of(&[
            ("src/lib.rs", "mod a; mod room; pub use a::A; pub use room::*;"),
            ("src/a.rs", "use crate::B; pub struct A(B);"),
            ("src/room/mod.rs", "mod b; mod c; pub use b::B; pub(crate) use c::C;"),
            ("src/room/b.rs", "use super::C; pub struct B(C);"),
            ("src/room/c.rs", "pub struct C; impl C { fn f(&self) -> Option<crate::A> { None } }"),
        ]);
        assert_eq!(found, [["src/a.rs", "src/room/b.rs", "src/room/c.rs"].map(str::to_owned).to_vec()]);
    }

    #[test]
    fn a_root_with_a_rule_in_it_is_a_file_like_any_other() {
        let found = crate_of(&[
            ("src/lib.rs", "mod a; pub const MOST: u8 = a::FEW + 1;"),
            ("src/a.rs", "pub const FEW: u8 = 1; fn f() -> u8 { crate::MOST }"),
        ]);
        assert_eq!(found, [["src/a.rs", "src/lib.rs"].map(str::to_owned).to_vec()]);
    }
}
