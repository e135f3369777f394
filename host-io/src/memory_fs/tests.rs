//! Whether files in memory are as the machine's own.

use proptest::prelude::*;

use super::*;
use crate::SystemFs;

/// Anything that may be asked of a file system; numbers stand for names.
#[derive(Debug, Clone)]
enum Ask {
    Create(PathBuf, u8),
    MakeDir(PathBuf),
    MakeLink(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    RemoveFile(PathBuf),
    RemoveTree(PathBuf),
    RemoveDir(PathBuf),
    Look(PathBuf),
}

fn any_path() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(vec!["a", "b", "c", ".."]);
    prop::collection::vec(name, 1..4)
        // More than one step up would leave what both have.
        .prop_filter("one step up at most", |names| names.iter().filter(|name| **name == "..").count() < 2)
        .prop_map(|names| names.into_iter().collect())
}

fn any_name() -> impl Strategy<Value = PathBuf> {
    any_path().prop_filter("a name at its end", |path| path.file_name().is_some() && !path.starts_with(".."))
}

fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => (any_name(), any::<u8>()).prop_map(|(path, content)| Ask::Create(path, content)),
        4 => any_name().prop_map(Ask::MakeDir),
        2 => (any_path(), any_name()).prop_map(|(target, link)| Ask::MakeLink(target, link)),
        3 => (any_name(), any_name()).prop_map(|(from, to)| Ask::Rename(from, to)),
        1 => any_name().prop_map(Ask::RemoveFile),
        1 => any_name().prop_map(Ask::RemoveTree),
        1 => any_name().prop_map(Ask::RemoveDir),
        3 => any_path().prop_map(Ask::Look),
    ]
}

/// What it said, in words that can be compared.
fn told<T: std::fmt::Debug>(answer: io::Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            error.raw_os_error().map_or_else(|| error.to_string(), |_| format!("{:?}", error.kind()))
        }
    }
}

fn answer(fs: &dyn Fs, base: &Path, ask: &Ask) -> Vec<String> {
    let at = |path: &Path| base.join(path);
    match ask {
        Ask::Create(path, content) => {
            let write = |mut file: Box<dyn NewFile>| {
                file.write_all(&[*content; 3])?;
                file.sync()
            };
            vec![told(fs.create(&at(path), 0o600).and_then(write))]
        }
        Ask::MakeDir(path) => vec![told(fs.make_dir(&at(path), 0o700))],
        Ask::MakeLink(target, link) => vec![told(fs.make_link(target, &at(link)))],
        Ask::Rename(from, to) => vec![told(fs.rename(&at(from), &at(to)))],
        Ask::RemoveFile(path) => vec![told(fs.remove_file(&at(path)))],
        Ask::RemoveTree(path) => vec![told(fs.remove_tree(&at(path)))],
        Ask::RemoveDir(path) => vec![told(fs.remove_dir(&at(path)))],
        Ask::Look(path) => {
            let path = &at(path);
            let in_it = |dir: Box<dyn HeldDir + '_>| {
                let names = dir.list()?;
                let below = names.iter().map(|entry| {
                    let read = told(dir.read_regular(&entry.name, 2));
                    let further = dir.hold(&entry.name).and_then(|below| below.list());
                    (read, told(further))
                });
                Ok(format!("{names:?} {:?}", below.collect::<Vec<_>>()))
            };
            let from_one_on = fs.open_at(path, 1).and_then(|mut file| {
                let mut rest = Vec::new();
                file.read_to_end(&mut rest).map(|_| rest)
            });
            vec![
                told(fs.read(path)),
                told(from_one_on),
                told(fs.kind(path)),
                told(fs.list(path)),
                told(fs.hold(path).and_then(in_it)),
                told(fs.read_link(path)),
                told(fs.read_regular(path, 3)),
                told(fs.read_regular(path, 2)),
                told(fs.sync_dir(path)),
            ]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_answers_whatever_it_is_asked_as_the_machine_does(asked in prop::collection::vec(any_ask(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        // Links lead up, each of them one step: nobody comes out of what both have.
        let base = dir.path().join(["base"; 30].join("/"));
        std::fs::create_dir_all(&base).unwrap();
        let memory = MemoryFs::default().with_dir(base.to_str().unwrap());
        for ask in asked {
            prop_assert_eq!(answer(&memory, &base, &ask), answer(&SystemFs, &base, &ask), "{:?}", ask);
        }
    }
}

#[test]
fn what_is_put_makes_its_way_and_takes_nothing_away() {
    let fs = MemoryFs::default().with("/a/b/../c", b"c").with_dir("/a").with_link("/d/e", "c");
    let names =
        |dir: &str| fs.list(Path::new(dir)).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(
        (names("/"), names("/a"), names("/d")),
        (vec!["a".into(), "d".into()], vec!["c".into()], vec!["e".into()])
    );
}

#[test]
fn a_directory_that_is_held_and_a_file_that_is_written_stay_the_ones_that_were_meant() {
    let fs = MemoryFs::default().with("/held/file", b"here").with("/elsewhere/file", b"there");
    let held = fs.hold(Path::new("/held")).unwrap();
    let mut file = fs.create(Path::new("/held/new"), 0o600).unwrap();
    fs.rename(Path::new("/held"), Path::new("/moved")).unwrap();
    fs.rename(Path::new("/elsewhere"), Path::new("/held")).unwrap();
    assert_eq!(held.read_regular("file", 100).unwrap(), b"here");
    file.write_all(b"still").unwrap();
    assert_eq!(fs.read(Path::new("/moved/new")).unwrap(), b"still");
    assert_eq!(fs.read(Path::new("/held/file")).unwrap(), b"there");
}
