//! `plan`, and `update --dry-run`: say what the update would fetch, copy, leave alone and write. Nothing is changed.

use host_io::bar::mib;
use host_io::{Access, OperationLock};

use crate::context::Context;
use crate::error::Error;
use crate::look::plan::{Plan, update::ImageBytes};
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::update::{self, Asked, Look};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Which update.
    pub asked: Asked,
    /// The subcommand that it stands for.
    pub command: &'static str,
}

/// Plans, and prints the plan. Nothing to do is no error.
///
/// # Errors
/// When the update could not be done, or would take more than it may.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    // What lies in the other set must not change while it is looked at.
    let _lock = OperationLock::acquire(&context.paths)?;
    context.events.tell(&Event::Started);
    match update::look(context, &args.asked, Access::Read)? {
        Look::Nothing(outcome) => {
            answer::outcome(context, args.command, "Planned", &outcome, false);
            Ok(())
        }
        Look::Found(found) => {
            if context.format == Format::Text {
                context.events.before_an_answer();
                answer::lines(table(&found.survey.plan))?;
            }
            context.events.tell(&Event::Done(Done {
                command: args.command,
                update: serde_json::to_value(&found.update).expect("an update is plain data"),
                set: Some(found.set().to_string()),
                bytes_fetched: found.opened.repository.bytes_fetched(),
                ..Done::default()
            }));
            Ok(())
        }
    }
}

/// The plan as a table for people; the bytes are told with `--json`. What only shows when an image is there has no number.
fn table(plan: &Plan) -> Vec<String> {
    let row = |name: &str, way: &str, numbers: [Option<u64>; 4]| {
        let mut line = format!("{name:<11} {way:<13}");
        for number in numbers {
            let text = number.map_or_else(|| "?".to_owned(), mib);
            line.push_str(&format!("{text:>13}"));
        }
        line
    };
    let mut lines = vec![
        format!("From {} to {}:", plan.from, plan.to),
        format!("{:<11} {:<13}{:>13}{:>13}{:>13}{:>13}", "", "way", "fetch", "copy", "skip", "write"),
    ];
    for image in &plan.images {
        let numbers = match image.bytes {
            ImageBytes::Known(bytes) => [bytes.fetch, bytes.copy, bytes.skip, bytes.write].map(Some),
            ImageBytes::FetchOnly { fetch_bytes } => [Some(fetch_bytes), Some(0), None, None],
        };
        lines.push(row(image.image.as_str(), image.way.as_str(), numbers));
    }
    let sum = |files: &[crate::look::plan::FilePlan]| Some(files.iter().map(|file| file.fetch_bytes).sum());
    lines.push(row("indexes", "", [sum(&plan.indexes), Some(0), Some(0), Some(0)]));
    lines.push(row("migrations", "", [sum(&plan.staged), Some(0), Some(0), Some(0)]));
    let known = |bytes: u64| plan.images.iter().all(|image| image.bytes.known().is_some()).then_some(bytes);
    let all = [known(plan.skip_bytes), known(plan.write_bytes)];
    lines.push(row("all", "", [Some(plan.fetch_bytes), Some(plan.copy_bytes), all[0], all[1]]));
    for image in &plan.images {
        if let Some(note) = &image.note {
            lines.push(format!("The {} image comes as a plain stream: {note}", image.image));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use semver::Version;
    use signpost::Role;

    use super::*;
    use crate::look::plan::{Bytes, FilePlan, ImagePlan, Way};

    #[test]
    fn a_plan_is_a_table() {
        let image = |image: Role, way, bytes, note: Option<&str>| {
            let (target, note) = (image.to_string(), note.map(str::to_owned));
            ImagePlan { image, target, way, bytes, note }
        };
        let root = Bytes { fetch: 41_900_000, copy: 700_000_000, skip: 4096, write: 857_000_000 };
        let hash = Bytes { fetch: 5_700_000, copy: 0, skip: 0, write: 7_100_000 };
        let version = |minor| Version::new(1, minor, 0);
        let file = |name: &str, fetch_bytes| vec![FilePlan { target: name.to_owned(), fetch_bytes }];
        let images = vec![
            image(
                Role::Boot,
                Way::PlainStream,
                ImageBytes::FetchOnly { fetch_bytes: 32_100_000 },
                Some("because"),
            ),
            image(Role::Root, Way::Frames, ImageBytes::Known(root), None),
            image(Role::Hash, Way::PlainStream, ImageBytes::Known(hash), None),
        ];
        let plan = Plan::new(
            &version(0),
            &version(1),
            images,
            file("root.idx", 940_000),
            file("manifest.json", 1234),
        );
        let expected = "\
From 1.0.0 to 1.1.0:
            way                  fetch         copy         skip        write
boot        plain-stream      30.6 MiB      0.0 MiB            ?            ?
root        frames            40.0 MiB    667.6 MiB      0.0 MiB    817.3 MiB
hash        plain-stream       5.4 MiB      0.0 MiB      0.0 MiB      6.8 MiB
indexes                        0.9 MiB      0.0 MiB      0.0 MiB      0.0 MiB
migrations                     0.0 MiB      0.0 MiB      0.0 MiB      0.0 MiB
all                           76.9 MiB    667.6 MiB            ?            ?
The boot image comes as a plain stream: because";
        assert_eq!(table(&plan).join("\n"), expected);
    }
}
