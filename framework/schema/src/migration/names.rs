//! Which old thing each new one is.

/// For each of `new` (a name and a former name), its position in `old`. No old one is given out twice: a former
/// name that nothing else explains goes first, so that an old shape kept under another name gets the rows although
/// its old name has a new owner.
pub(super) fn sources<'a>(
    old: impl Iterator<Item = &'a str>,
    new: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Vec<Option<usize>> {
    let old: Vec<_> = old.collect();
    let new: Vec<_> = new.collect();
    let position = |name: &str| old.iter().position(|old| *old == name);
    let mut sources = vec![None; new.len()];
    for start in 0..new.len() {
        if position(new[start].0).is_some() {
            continue;
        }
        // Whoever has that name now is pushed on to its own former name: in a chain of renames all are taken.
        let mut pushed = Some(start);
        while let Some(index) = pushed
            && let Some(found) = new[index].1.and_then(position)
            && !sources.contains(&Some(found))
        {
            sources[index] = Some(found);
            pushed = new.iter().position(|(name, _)| *name == old[found]);
        }
    }
    for (index, (name, _)) in new.iter().enumerate() {
        if sources[index].is_none() {
            sources[index] = position(name).filter(|found| !sources.contains(&Some(*found)));
        }
    }
    sources
}

/// The first name whose former names lead back to itself: names can't be swapped in one step, because that can't
/// be told from a swap that has already happened.
pub(crate) fn cycle<'a>(names: &[(&'a str, Option<&'a str>)]) -> Option<&'a str> {
    let former = |name: &str| names.iter().find(|(known, _)| *known == name).and_then(|(_, was)| *was);
    names.iter().map(|(name, _)| *name).find(|start| {
        // A name's chain visits each name at most once before it ends or repeats.
        let chain = std::iter::successors(former(start), |name| former(name));
        chain.take(names.len()).any(|name| name == *start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(old: &[&str], new: &[(&str, Option<&str>)]) -> Vec<Option<usize>> {
        sources(old.iter().copied(), new.iter().copied())
    }

    #[test]
    fn by_name_or_former_name() {
        assert_eq!(of(&["A", "B"], &[("B", None), ("C", Some("A")), ("D", None)]), [Some(1), Some(0), None]);
        // Kept for good.
        assert_eq!(of(&["C"], &[("C", Some("A"))]), [Some(0)]);
        assert_eq!(of(&["A", "C"], &[("C", Some("A")), ("A", None)]), [Some(1), Some(0)]);
    }

    #[test]
    fn an_old_shape_under_another_name_takes_the_rows() {
        let new = [("Bag", None), ("BagBefore", Some("Bag"))];
        assert_eq!(of(&["Bag"], &new), [None, Some(0)]);
        assert_eq!(of(&["Bag", "BagBefore"], &new), [Some(0), Some(1)]);
    }

    #[test]
    fn chains_and_rivals() {
        let chain = [("B", Some("A")), ("C", Some("B")), ("D", Some("C"))];
        assert_eq!(of(&["A", "B", "C"], &chain), [Some(0), Some(1), Some(2)]);
        assert_eq!(of(&["B", "C", "D"], &chain), [Some(0), Some(1), Some(2)]);
        assert_eq!(of(&["A"], &[("B", Some("A")), ("C", Some("A"))])[0], Some(0));
    }

    #[test]
    fn cycles() {
        assert_eq!(cycle(&[("A", Some("B")), ("B", Some("C"))]), None);
        assert_eq!(cycle(&[("C", None), ("A", Some("B")), ("B", Some("A"))]), Some("A"));
        assert_eq!(cycle(&[("A", Some("A"))]), Some("A"));
    }
}
