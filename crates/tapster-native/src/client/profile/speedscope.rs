//! A profile in the file format of speedscope (<https://www.speedscope.app/file-format-schema.json>): one for each worker.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::OfWorker;

/// The whole file.
pub(super) fn document(workers: &[OfWorker]) -> String {
    let mut frames = Frames::default();
    let profiles: Vec<_> = workers.iter().map(|one| profile(one, &mut frames)).collect();
    let document = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("tapster@", env!("CARGO_PKG_VERSION")),
        "name": "tapster profile",
        "shared": { "frames": frames.list },
        "profiles": profiles,
    });
    document.to_string()
}

/// The frames of all profiles, each once.
#[derive(Default)]
struct Frames {
    list: Vec<Value>,
    places: HashMap<(String, String, u32), usize>,
}

impl Frames {
    fn place(&mut self, name: &str, file: &str, line: u32) -> usize {
        let list = &mut self.list;
        *self.places.entry((name.to_owned(), file.to_owned(), line)).or_insert_with(|| {
            list.push(match file {
                "" => json!({ "name": name }),
                _ => json!({ "name": name, "file": file, "line": line }),
            });
            list.len() - 1
        })
    }
}

fn profile(one: &OfWorker, frames: &mut Frames) -> Value {
    let mut samples = Vec::new();
    let mut weights = Vec::new();
    for (thread, stack, micros, _) in &one.seen.stacks {
        let mut sample = Vec::new();
        if !thread.is_empty() {
            sample.push(frames.place(thread, "", 0));
        }
        let known = stack.iter().filter_map(|place| one.seen.frames.get(*place));
        sample.extend(known.map(|(name, file, line)| frames.place(name, file, *line)));
        samples.push(sample);
        weights.push(*micros);
    }
    json!({
        "type": "sampled",
        "name": format!("worker {}", one.worker),
        "unit": "microseconds",
        "startValue": 0,
        "endValue": weights.iter().sum::<u64>(),
        "samples": samples,
        "weights": weights,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{tests::collected, understand};
    use super::*;

    #[test]
    fn every_worker_has_its_profile_and_shares_the_frames() {
        let document: Value = serde_json::from_str(&document(&understand(&collected()).0)).unwrap();
        assert_eq!(document["shared"]["frames"].as_array().unwrap().len(), 4);
        let second = &document["profiles"][1];
        assert_eq!(second["name"], "worker 2");
        assert_eq!(second["endValue"], 55);
        assert_eq!(second["samples"][0], json!([0, 1]));
        assert_eq!(second["weights"], json!([40, 10, 5]));
    }
}
