//! Who may see what: the rule that replicas are measured by, and what must hold in every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use evertick_client::Client;
use evertick_schema::{EntityId, Identity, Row};
use evertick_tests::bank::all;
use evertick_world::{Cell, World};
use glam::Vec2;
use scene_module::players::Look;
use scene_module::props::{
    ACCOUNTS, Account, BALANCE, Badge, Deed, Face, Hidden, Left, Offer, Place, Right, Spot, Walk,
};

/// Meters of a cell's side, how far a thing goes beyond it before it is in the next, and how far a focus before its view is looked at again.
const CELL: f32 = 64.0;
const BEYOND: f32 = 4.0;
const UNNOTICED: f32 = CELL / 8.0;

/// The share of the radius in which details are seen.
const DETAILS: f32 = 0.5;

/// Offers cheaper than this are asked for, and one's own.
pub(crate) const CHEAP: u32 = 50;

/// From a place to the nearest point of a cell.
fn gap(at: Vec2, cell: Cell) -> f32 {
    let low = Vec2::new(cell.x as f32, cell.y as f32) * CELL;
    (low - at).max(at - low - CELL).max(Vec2::ZERO).length()
}

fn cell(at: Vec2) -> Cell {
    let [x, y] = (at / CELL).floor().to_array();
    Cell { space: 0, x: x as i32, y: y as i32 }
}

/// Whether somebody who looks like this may see what is in a cell: cells are left half a cell later than they are entered.
fn may_see(look: &Look, share: f32, at: Vec2) -> bool {
    let far = look.radius * share + CELL / 2.0 + UNNOTICED;
    let corners = [(-BEYOND, -BEYOND), (-BEYOND, BEYOND), (BEYOND, -BEYOND), (BEYOND, BEYOND)];
    corners.iter().any(|corner| gap(look.at, cell(at + Vec2::from(*corner))) <= far)
}

fn asked_for(me: Identity, offer: &Offer) -> bool {
    offer.price < CHEAP || offer.of == me
}

/// What is wrong with the replica in this moment, whatever got lost. `strict`: the client is never behind.
pub(crate) fn wrong_now(client: &Client, strict: bool) -> Vec<String> {
    let me = client.identity();
    client.view(|view| {
        let mut wrong = Vec::new();
        let mut check = |good: bool, what: &dyn Debug, why: &str| {
            if !good {
                wrong.push(format!("tick {}: {why}: {what:?}", view.tick()));
            }
        };
        let look = view.rows::<Look>().unwrap().next().map(|(_, look)| look);
        let accounts: Vec<Account> = view.rows().unwrap().map(|(_, account)| account).collect();
        let sum: i64 = accounts.iter().map(|account| account.balance).sum();
        check(accounts.is_empty() || sum == ACCOUNTS as i64 * BALANCE, &accounts, "half of a transfer");
        for (entity, left) in view.rows::<Left>().unwrap() {
            let right = view.get::<Right>(entity).unwrap();
            let whole = right.as_ref().is_some_and(|right| right.units == -left.units);
            check(whole, &(entity, left, right), "half of a change");
        }
        for (entity, spot) in view.rows::<Spot>().unwrap() {
            let twin = view.get::<Spot>(spot.twin).unwrap();
            let together = twin.as_ref().is_some_and(|twin| twin.at == spot.at && twin.twin == entity);
            check(together, &(entity, &spot, twin), "half of a pair");
            if let Some(look) = look.as_ref().filter(|_| strict) {
                check(may_see(look, 1.0, spot.at), &(entity, spot.at, look), "too far away");
            }
        }
        for (entity, face) in view.rows::<Face>().unwrap() {
            if let Some(look) = look.as_ref().filter(|_| strict) {
                check(may_see(look, DETAILS, face.at), &(entity, face.at, look), "too far away for details");
                let spot = view.get::<Spot>(entity).unwrap().map(|spot| spot.at);
                check(spot == Some(face.at), &(entity, face.at, spot), "half of a move");
            }
        }
        for (entity, deed) in view.rows::<Deed>().unwrap() {
            check(deed.of == me, &(entity, deed), "somebody else's");
        }
        for (entity, badge) in view.rows::<Badge>().unwrap() {
            let crew = look.as_ref().map(|look| look.crew);
            check(crew.is_none_or(|crew| crew == badge.crew), &(entity, badge, crew), "another crew's");
        }
        for (entity, offer) in view.rows::<Offer>().unwrap() {
            check(asked_for(me, &offer), &(entity, offer), "not asked for");
        }
        check(view.rows::<Hidden>().unwrap().next().is_none(), &"Hidden", "for nobody");
        check(view.rows::<Walk>().unwrap().next().is_none(), &"Walk", "for nobody");
        wrong
    })
}

/// Whether a thing that came into view or moved may be seen there.
pub(crate) fn may_be_told(client: &Client, at: Vec2) -> Result<(), String> {
    let look = client.rows::<Look>().unwrap().pop();
    match look {
        Some((_, look)) if !may_see(&look, 1.0, at) => Err(format!("told of {at} to {look:?}")),
        _ => Ok(()),
    }
}

/// What a client has of one row type that it should not, or not so, or has not.
fn compare<T: Row + PartialEq + Debug>(
    client: &Client,
    world: &World,
    sees: impl Fn(EntityId, &T) -> bool,
) -> Option<String> {
    let sees = |(entity, row): &(EntityId, T)| sees(*entity, row);
    let want: BTreeMap<EntityId, T> = all::<T>(world).into_iter().filter(sees).collect();
    let have: BTreeMap<EntityId, T> = client.rows::<T>().unwrap().into_iter().collect();
    let entities: BTreeSet<&EntityId> = want.keys().chain(have.keys()).collect();
    let different = entities.into_iter().find(|entity| want.get(entity) != have.get(entity))?;
    let (want_it, have_it) = (want.get(different), have.get(different));
    let counts = format!("{} for {}", have.len(), want.len());
    Some(format!("{} of {different}: {have_it:?} for {want_it:?} ({counts})", T::NAME))
}

/// The first difference between what a client has and what it may see of the world.
pub(crate) fn difference(client: &Client, world: &World) -> Option<String> {
    let me = client.identity();
    let Some((_, look)) = all::<Look>(world).into_iter().find(|(_, look)| look.of == me) else {
        return Some("it is not there".into());
    };
    let at = |entity: EntityId| world.place(entity).map(|place| Vec2::from_array(place.at));
    // Of the cells at the edge it has all or nothing.
    let seen = |share: f32, has: &BTreeSet<Cell>, entity: EntityId| {
        at(entity).is_some_and(|at| {
            let gap = gap(look.at, cell(at));
            gap <= look.radius * share - UNNOTICED || may_see(&look, share, at) && has.contains(&cell(at))
        })
    };
    let cells = |entities: Vec<EntityId>| entities.into_iter().filter_map(at).map(cell).collect();
    let has: BTreeSet<Cell> =
        cells(client.rows::<Spot>().unwrap().into_iter().map(|(entity, _)| entity).collect());
    let has_details: BTreeSet<Cell> =
        cells(client.rows::<Face>().unwrap().into_iter().map(|(entity, _)| entity).collect());
    let near = |entity| seen(1.0, &has, entity);
    let mine = |entity| world.owner(entity) == Some(me);
    // Where nobody but players are, they alone say whether a cell is seen.
    let places = |entity, _: &Place| match at(entity) {
        Some(at) if !has.contains(&cell(at)) && gap(look.at, cell(at)) > look.radius - UNNOTICED => {
            client.get::<Place>(entity).unwrap().is_some() && may_see(&look, 1.0, at)
        }
        _ => near(entity),
    };
    compare::<Place>(client, world, places)
        .or_else(|| compare::<Spot>(client, world, |entity, _| near(entity)))
        .or_else(|| compare::<Left>(client, world, |entity, _| near(entity)))
        .or_else(|| compare::<Right>(client, world, |entity, _| near(entity)))
        .or_else(|| compare::<Face>(client, world, |entity, _| seen(DETAILS, &has_details, entity)))
        .or_else(|| compare::<Deed>(client, world, |entity, _| mine(entity)))
        .or_else(|| compare::<Look>(client, world, |entity, _| mine(entity)))
        .or_else(|| compare::<Badge>(client, world, |_, badge| badge.crew == look.crew))
        .or_else(|| compare::<Offer>(client, world, |_, offer| asked_for(me, offer)))
        .or_else(|| compare::<Account>(client, world, |_, _| true))
        .or_else(|| compare::<Hidden>(client, world, |_, _| false))
        .or_else(|| compare::<Walk>(client, world, |_, _| false))
}
