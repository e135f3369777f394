//! `cargo xtask new-migration NAME`: the beginning of a migration: a list of steps, or a program where a list is not
//! enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

use crate::Outcome;
use crate::cargo::workspace;

const LIST: &str = include_str!("list.toml");
const PROGRAM: &str = include_str!("main.rs.txt");

/// Arguments of `cargo xtask new-migration`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask new-migration migrate_v1.1.0_time\n  cargo xtask new-migration migrate_v1.1.0_split --program --dir ~/os/migrations"
)]
pub(crate) struct Args {
    /// As the manifest is to name it, without .lz4: migrate_vVERSION_WHAT
    #[arg(value_parser = name)]
    name: String,
    /// A program, for values that are computed or split
    #[arg(long)]
    program: bool,
    /// Where it is to lie
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

fn name(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("migrate_v").ok_or("it begins with migrate_v, and the version")?;
    let (version, what) = rest.split_once('_').ok_or("after the version comes _ and what it is about")?;
    semver::Version::parse(version).map_err(|error| format!("{version:?} is no version: {error}"))?;
    if what.is_empty() || !update_metadata::safe_target_name(text) {
        return Err("a target's name has letters, digits and . _ + - only".to_owned());
    }
    Ok(text.to_owned())
}

/// Writes the files, none of which may be there.
pub(crate) fn run(args: &Args) -> Outcome {
    let files = if args.program { program(&args.name)? } else { list(&args.name) };
    if let Some(there) = files.iter().map(|(path, _)| args.dir.join(path)).find(|path| path.exists()) {
        return Err(format!("write {}: it is there already", there.display()).into());
    }
    for (path, text) in &files {
        let path = args.dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, text).map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    let name = &args.name;
    if args.program {
        let target = host()?;
        let build = args.dir.join(name);
        println!("{}", build.join("src/main.rs").display());
        println!("next: change it, then in {}:", build.display());
        println!("  cargo test && cargo build --release");
        println!("  cp target/{target}/release/migration MIGRATIONS/{name}");
    } else {
        println!("{}", args.dir.join(format!("{name}.toml")).display());
        println!("next: change it, then");
        println!("  declared-migration check {name}.toml");
        println!("  declared-migration pack {name}.toml MIGRATIONS/{name}");
    }
    println!("  pubrepo add … --migrations MIGRATIONS, with \"{name}.lz4\" in a step of Release.toml");
    Ok(true)
}

fn list(name: &str) -> Vec<(PathBuf, String)> {
    vec![(format!("{name}.toml").into(), LIST.replace("NAME", name))]
}

/// A package of its own, which is built static: the older release runs it on the way back, with what that has.
fn program(name: &str) -> Result<Vec<(PathBuf, String)>, Box<dyn std::error::Error>> {
    let dir = Path::new(name);
    let helpers = workspace().join("migrator/helpers");
    let manifest = format!(
        "[package]\nname = \"migration\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         # A workspace of its own, wherever it lies.\n[workspace]\n\n\
         [dependencies]\nmigration-helpers = {{ path = {:?} }}\n\n\
         [profile.release]\nlto = \"thin\"\nstrip = \"symbols\"\n",
        helpers.display().to_string()
    );
    // With the target named, what cargo itself runs while it builds is not static.
    let config =
        format!("[build]\ntarget = \"{}\"\nrustflags = [\"-C\", \"target-feature=+crt-static\"]\n", host()?);
    // The versions that this tree was tested with.
    let lock = fs::read_to_string(workspace().join("Cargo.lock"))?;
    Ok(vec![
        (dir.join("Cargo.toml"), manifest),
        (dir.join("Cargo.lock"), lock),
        (dir.join(".cargo/config.toml"), config),
        (dir.join("src/main.rs"), PROGRAM.replace("NAME", name)),
    ])
}

/// The machine that builds.
fn host() -> Result<String, Box<dyn std::error::Error>> {
    let told = Command::new("rustc").arg("-vV").output()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("find out the machine's name: rustc does not tell")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_target_and_names_a_version() {
        assert!(name("migrate_v1.1.0_time").is_ok());
        for wrong in ["time", "migrate_v1.1_time", "migrate_v1.1.0_", "migrate_v1.1.0", "migrate_v1.1.0_a/b"]
        {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_list_is_one_and_nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let args = Args { name: "migrate_v1.1.0_x".to_owned(), program: false, dir: dir.path().to_owned() };
        assert!(run(&args).unwrap());
        let text = fs::read_to_string(dir.path().join("migrate_v1.1.0_x.toml")).unwrap();
        let list = migration_helpers::declared::Declaration::parse(&text).unwrap();
        assert_eq!(list.steps().len(), 1);
        // The steps that are only shown are steps as well.
        let all = text.lines().map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.starts_with("[[") || rest.contains(" = "))
                .unwrap_or(line)
        });
        let all: Vec<&str> = all.collect();
        assert_eq!(
            migration_helpers::declared::Declaration::parse(&all.join("\n")).unwrap().steps().len(),
            4
        );
        assert!(run(&args).is_err(), "it is there already");
    }

    #[test]
    fn a_program_comes_with_all_that_it_is_built_of() {
        let dir = tempfile::tempdir().unwrap();
        let args = Args { name: "migrate_v1.1.0_x".to_owned(), program: true, dir: dir.path().to_owned() };
        assert!(run(&args).unwrap());
        for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "src/main.rs"] {
            assert!(dir.path().join("migrate_v1.1.0_x").join(file).is_file(), "{file}");
        }
    }
}
