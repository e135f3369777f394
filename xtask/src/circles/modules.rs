//! The files of a crate as modules, what each declares, re-exports and names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// A module by the names that lead to it from the crate's root.
pub(super) type ModulePath = Vec<String>;

/// One file of a crate.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The file, from the crate's folder.
    pub(super) file: String,
    /// Whether it has items of its own, and does not only declare and re-export.
    pub(super) is_node: bool,
    /// What it brings into scope or re-exports: a name, and the path that it stands for.
    pub(super) names: BTreeMap<String, Vec<String>>,
    /// Modules all of whose names it brings into scope.
    pub(super) globs: Vec<Vec<String>>,
    /// The paths that are named in it, apart from those of [`names`](Self::names) which are named here as well.
    pub(super) used: Vec<Vec<String>>,
}

/// All modules of the crate in `folder` whose root is `entry`.
pub(super) fn load(folder: &Path, entry: &str) -> Result<BTreeMap<ModulePath, Module>, String> {
    let mut modules = BTreeMap::new();
    let mut todo = vec![(Vec::new(), folder.join(entry))];
    while let Some((path, file)) = todo.pop() {
        let failed = |error: &dyn std::fmt::Display| format!("read {}: {error}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let parsed = syn::parse_file(&text).map_err(|error| failed(&error))?;
        let shown = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        let mut module = Module { file: shown, ..Module::default() };
        let mut children = Vec::new();
        read(&parsed.items, &mut module, &mut children);
        for child in children {
            let beside = beside(&file, &child);
            let found = beside.into_iter().find(|place| place.is_file());
            let place = found.ok_or_else(|| failed(&format!("its module {child} has no file")))?;
            todo.push(([&path[..], &[child]].concat(), place));
        }
        modules.insert(path, module);
    }
    Ok(modules)
}

/// Where the file of a module may be that `file` declares.
fn beside(file: &Path, child: &str) -> [PathBuf; 2] {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default();
    let is_root = ["mod", "lib", "main"].iter().any(|root| stem == *root);
    let folder = if is_root { folder.to_owned() } else { folder.join(stem) };
    [folder.join(format!("{child}.rs")), folder.join(child).join("mod.rs")]
}

fn read(items: &[Item], module: &mut Module, children: &mut Vec<String>) {
    for item in items {
        if is_test(attributes(item)) {
            continue;
        }
        match item {
            Item::Mod(inner) => match &inner.content {
                None => children.push(inner.ident.to_string()),
                // A module within a file is part of that file.
                Some(_) => {
                    module.is_node = true;
                    Paths(&mut module.used).visit_item(item);
                }
            },
            Item::Use(inner) => {
                let mut leaves = Vec::new();
                leaves_of(&inner.tree, &mut Vec::new(), &mut leaves);
                let is_public = !matches!(inner.vis, Visibility::Inherited);
                for (name, path) in leaves {
                    match name {
                        Some(name) => {
                            module.names.insert(name, path.clone());
                        }
                        None => module.globs.push(path.clone()),
                    }
                    if !is_public {
                        module.used.push(path);
                    }
                }
            }
            Item::ExternCrate(_) => {}
            other => {
                module.is_node = true;
                Paths(&mut module.used).visit_item(other);
            }
        }
    }
}

/// The names that a use brings, with the path of each; no name for all names of a module.
fn leaves_of(tree: &UseTree, before: &mut Vec<String>, leaves: &mut Vec<(Option<String>, Vec<String>)>) {
    let with = |last: &str| [&before[..], &[last.to_owned()]].concat();
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves_of(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => leaves.push((before.last().cloned(), before.clone())),
        UseTree::Name(name) => leaves.push((Some(name.ident.to_string()), with(&name.ident.to_string()))),
        UseTree::Rename(renamed) if renamed.ident == "self" => {
            leaves.push((Some(renamed.rename.to_string()), before.clone()));
        }
        UseTree::Rename(renamed) => {
            leaves.push((Some(renamed.rename.to_string()), with(&renamed.ident.to_string())));
        }
        UseTree::Glob(_) => leaves.push((None, before.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves_of(tree, before, leaves)),
    }
}

/// Collects the paths of more than one name.
struct Paths<'a>(&'a mut Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    // Who may see an item is not what it is made of.
    fn visit_vis_restricted(&mut self, _visible_in: &'ast syn::VisRestricted) {}

    fn visit_item_use(&mut self, inner: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        leaves_of(&inner.tree, &mut Vec::new(), &mut leaves);
        self.0.extend(leaves.into_iter().map(|(_, path)| path));
    }

    fn visit_item_mod(&mut self, inner: &'ast syn::ItemMod) {
        if !is_test(&inner.attrs) {
            visit::visit_item_mod(self, inner);
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether code is there for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = match &attribute.meta {
            syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            _ => return false,
        };
        text == "test" || text.starts_with("all (test") || text.starts_with("all(test")
    })
}
