//! For the tests of `migrator`: each ready-made helper, by the name under which this program is staged.

use std::process::ExitCode;

use migration_helpers::helpers::{
    AddMetadata, AddPrefixes, AddSettings, ListReplacement, MetadataListReplacement, MetadataReplacement,
    NoOp, RemoveMetadata, RemoveSettings, RenameSettings, ReplaceLists, ReplaceMetadata,
    ReplaceMetadataLists, ReplaceString, SettingMetadata,
};
use migration_helpers::migrate;

const NOTES: &[SettingMetadata] = &[SettingMetadata { setting: "settings.text", metadata: &["note"] }];

fn main() -> ExitCode {
    // The kernel shows sealed memory under the name of the migration.
    let own = std::env::current_exe().unwrap_or_default().display().to_string();
    let own = own.trim_end_matches(" (deleted)");
    match own.rsplit('_').next().unwrap_or_default() {
        "addsettings" => migrate(AddSettings(&["settings.text", "settings.absent"])),
        "prefix" => migrate(AddPrefixes(&["settings.group.", "settings.te"])),
        "remove" => migrate(RemoveSettings(&["settings.text", "settings.group.text"])),
        "renamesettings" => migrate(RenameSettings(&[("settings.text", "settings.words.first")])),
        "subtree" => migrate(RenameSettings(&[("settings.group", "settings.other.place")])),
        "string" => migrate(ReplaceString { setting: "settings.text", old: "old", new: "new" }),
        "lists" => migrate(ReplaceLists(&[ListReplacement {
            setting: "settings.list",
            old: &["a", "b"],
            new: &["a", "b", "c"],
        }])),
        "addmetadata" => migrate(AddMetadata(NOTES)),
        "removemetadata" => migrate(RemoveMetadata(NOTES)),
        "metadata" => migrate(ReplaceMetadata(&[MetadataReplacement {
            setting: "settings.text",
            metadata: "note",
            old: "old",
            new: "new",
        }])),
        "metadatalists" => migrate(ReplaceMetadataLists(&[MetadataListReplacement {
            setting: "settings.list",
            metadata: "services",
            old: &["p"],
            new: &["p", "q"],
        }])),
        "nothing" => migrate(NoOp),
        other => {
            host_io::say::line(&format!("there is no helper {other:?} for a program called {own:?}"));
            ExitCode::FAILURE
        }
    }
}
