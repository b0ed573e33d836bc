//! The name that somebody who mistyped probably meant.

/// The candidate nearest to `typed`, when it is near enough to be worth naming.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = 1 + typed.chars().count() / 4;
    let distance = |candidate: &str| strsim::damerau_levenshtein(typed, candidate);
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
