//! Words of others, as they may stand on a terminal or in a log.
//!
//! A manifest, a server, a health check or a label on a disk may say anything, and a terminal obeys some of it: it clears
//! itself, takes a line back, writes backwards, or hides what comes. What people read of it has none of that.

/// Whether a letter changes how a terminal shows others, or hides what is there: controls, marks of the direction of
/// writing, and what has no width. With U+202E alone a line reads backwards, and a mark of direction that nobody sees
/// (U+200E, U+200F, U+061C) turns round the numbers behind it.
///
/// The joiners U+200C and U+200D are none: Persian and the languages of India are not written without them, nor are
/// pictures that are put together. All they do is to the shape of the letters beside them.
#[must_use]
pub fn draws(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What stands for a letter in one line: a sign of its own where the letter would draw.
#[must_use]
pub fn in_a_line(letter: char) -> char {
    if draws(letter) { char::REPLACEMENT_CHARACTER } else { letter }
}

/// What stands for a letter in a text of several lines.
#[must_use]
pub fn in_lines(letter: char) -> char {
    if matches!(letter, '\n' | '\t') { letter } else { in_a_line(letter) }
}

/// A text of several lines. It has no colours: whatever looks like one is somebody else's.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().map(in_lines).collect()
}

/// A text of several lines that we have coloured, in which those colours stay. Words of others have to be plain in it
/// already: nobody can tell their colours from ours any more.
#[must_use]
pub fn painted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, after) = rest.split_at(at);
        shown.extend(before.chars().map(in_lines));
        let colour = colour(after);
        shown.push_str(colour);
        rest = &after[colour.len()..];
        if colour.is_empty() {
            shown.push(char::REPLACEMENT_CHARACTER);
            rest = &after[1..];
        }
    }
    shown.extend(rest.chars().map(in_lines));
    shown
}

/// The change of colour that a text begins with; empty where it begins with something else.
fn colour(text: &str) -> &str {
    let number = text.strip_prefix("\u{1b}[").and_then(|text| {
        // Of two digits at most; a text may begin a colour a million times and end none.
        text.bytes().take(3).position(|byte| byte == b'm').map(|end| &text[..end])
    });
    match number {
        // Those of a status and of a log line: plain, bold, faint, slanted, and the colours of levels.
        Some(number @ ("0" | "1" | "2" | "3" | "31" | "32" | "33" | "34" | "35")) => {
            &text[.."\u{1b}[m".len() + number.len()]
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_that_draw_are_known_and_what_languages_are_written_with_are_none() {
        let drawing = "\n\u{1b}\u{9b}\u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{200e}\u{200f}\u{61c}\u{feff}\u{2028}\u{e0041}";
        for letter in drawing.chars() {
            assert!(draws(letter), "{letter:?}");
            assert_eq!(in_a_line(letter), '\u{fffd}');
        }
        for text in ["aÄ ж語ع🦀 \u{301}—", "می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}🚒", "مرحبا", "שלום"]
        {
            assert!(!text.contains(draws), "{text}");
        }
        assert_eq!(
            "a\n\tb\rc\u{202e}d".chars().map(in_lines).collect::<String>(),
            "a\n\tb\u{fffd}c\u{fffd}d"
        );
    }

    #[test]
    fn our_colours_stay_and_nothing_else_that_a_terminal_obeys() {
        assert_eq!(painted("\u{1b}[31mred\u{1b}[0m\n"), "\u{1b}[31mred\u{1b}[0m\n");
        for wrong in
            ["[2J", "[8m", "[7m", "[30m", "[37m", "[4m", "[1A", "]0;title\u{7}", "[31;8m", "[m", "c", ""]
        {
            let shown = painted(&format!("a\u{1b}{wrong}b"));
            assert!(shown.starts_with("a\u{fffd}"), "{wrong:?}: {shown:?}");
            assert!(!shown.contains(['\u{1b}', '\u{7}']), "{wrong:?}: {shown:?}");
        }
    }

    #[test]
    fn a_text_that_nobody_has_coloured_has_no_colours() {
        for colour in ["30", "31", "32", "1", "0"] {
            assert_eq!(shown(&format!("a\u{1b}[{colour}mb\n")), format!("a\u{fffd}[{colour}mb\n"));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_draws_nothing(text in "(\\PC|\u{1b}\\[[0-9]{0,2}m|\u{1b}|\u{202e}|\u{9b}|\n){0,20}") {
            let shown = painted(&text);
            let pieces = shown.split('\u{1b}').enumerate();
            for (at, piece) in pieces {
                let behind = if at == 0 { piece } else { piece.trim_start_matches(['[', '0', '1', '2', '3', '4', '5', '6', '7']) };
                prop_assert!(!behind.contains(|letter| draws(letter) && letter != '\n' && letter != '\t'), "{:?}", shown);
            }
        }
    }
}
