//! `tapster explain`: what an error or a warning of the log means. Run by the operator's process, without any server.

use tapster_observe::{AREAS, Incident};

const WIDTH: usize = 80;

/// What is to be printed for this id, or without one for all.
///
/// # Errors
/// In words, when there is none with this id.
pub(crate) fn text(id: Option<&str>) -> Result<String, String> {
    let Some(id) = id else { return Ok(list()) };
    Incident::find(id).or_else(|| Incident::named(id)).map(page).ok_or_else(|| {
        let nearest = Incident::nearest(id);
        let hint = nearest.map_or("tapster explain lists all".to_owned(), |nearest| {
            format!("the nearest is {nearest} {}; tapster explain lists all", nearest.name())
        });
        format!("there is no error {id:?}\nhint: {hint}")
    })
}

fn list() -> String {
    let mut text = String::new();
    for area in AREAS {
        let space = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{space}{}:\n", area.title));
        for incident in area.incidents {
            text.push_str(&format!("  {incident} {:7} {}\n", incident.level().as_str(), incident.name()));
        }
    }
    text + "\ntapster explain ID says what one means, what it costs users, and what to do.\n"
}

fn page(incident: Incident) -> String {
    let head = format!("{incident} {} ({})\n", incident.name(), incident.level().as_str());
    [("", incident.happened()), ("What it costs: ", incident.costs()), ("What to do: ", incident.remedy())]
        .iter()
        .fold(head, |text, (title, words)| text + "\n" + &fold(&format!("{title}{words}")))
}

/// Lines of at most [`WIDTH`] characters, where the words allow it.
fn fold(text: &str) -> String {
    let (mut folded, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            folded.push('\n');
            width = 0;
        } else if width > 0 {
            folded.push(' ');
            width += 1;
        }
        folded.push_str(word);
        width += length;
    }
    folded + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_a_terminal_and_the_unknown_gets_the_nearest() {
        for incident in Incident::all() {
            let page = text(Some(&incident.to_string())).unwrap();
            assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        }
        assert!(text(Some("application-failed")).unwrap().starts_with("TAP0301 "));
        let refused = text(Some("TAP0399")).unwrap_err();
        assert!(refused.contains("TAP0401 ") || refused.contains("TAP0317 "), "{refused}");
        assert!(text(Some("what")).unwrap_err().contains("lists all"));
        assert!(text(None).unwrap().contains("TAP0601 warning lines-dropped\n"));
    }
}
