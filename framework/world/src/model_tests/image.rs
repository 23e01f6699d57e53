//! A world from an image gives, from there on, the very deltas that the original gives.

use proptest::prelude::*;

use super::{Pair, Step, compare, empty_world, step};
use crate::image::{In, Out};
use crate::world::World;

fn copy(world: &World) -> World {
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    world.write_image(&mut out).unwrap();
    out.finish().unwrap();
    let (mut copy, mut rest) = (empty_world(), &bytes[..]);
    let mut input = In::new(&mut rest);
    copy.read_image(&mut input).unwrap();
    input.finish().unwrap();

    let mut again = Vec::new();
    let mut out = Out::new(&mut again);
    copy.write_image(&mut out).unwrap();
    out.finish().unwrap();
    assert!(again == bytes, "the image of a copy is the image of the original");
    copy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_world_from_an_image_goes_on_the_same(
        before in prop::collection::vec(step(), 1..25),
        after in prop::collection::vec(step(), 1..25),
    ) {
        let mut pair = Pair::new();
        before.iter().for_each(|step| pair.step(step));
        pair.commit();
        let (world, replica) = (copy(&pair.world), copy(&pair.world));
        compare::rows(&world, &pair.model);
        compare::lookups(&world, &pair.model);
        world.check().unwrap();
        let model = pair.model.clone();
        let mut twin = Pair { world, committed: model.clone(), model, replica, swept: false };
        for step in after.iter().chain([&Step::Commit]) {
            if let Step::Commit = step {
                prop_assert_eq!(pair.commit(), twin.commit());
                continue;
            }
            pair.step(step);
            twin.step(step);
        }
    }
}
