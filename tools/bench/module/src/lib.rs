//! What the benchmarks run: accounts that transfer, and entities that move.

#![allow(missing_docs, reason = "a game says what is not plain from the names, not the rest")]

pub mod accounts {
    //! 100k accounts and the transfer between two of them.

    use evertick_module::prelude::*;

    /// An account.
    #[table(key = id)]
    pub struct Account {
        #[index(dense)]
        pub id: u64,
        pub balance: i64,
    }

    /// Why money does not move.
    #[derive(Debug, PartialEq, Refusal)]
    pub enum TransferRefusal {
        #[refusal("no such account", missing)]
        Missing,
        #[refusal("payer and payee are one")]
        Same,
        #[refusal("only {balance} are there")]
        Short { balance: i64 },
    }

    /// Makes accounts 0 to `count`, with a million each.
    #[reducer]
    fn fill(ctx: &mut Ctx, from: u64, to: u64) -> Result<(), NoRefusal> {
        for id in from..to {
            let _ = ctx.insert(Account { id, balance: 1_000_000 });
        }
        Ok(())
    }

    /// Two look-ups by key, two reads, two writes.
    #[reducer]
    fn transfer(ctx: &mut Ctx, from: u64, to: u64, amount: i64) -> Result<(), TransferRefusal> {
        ensure!(from != to, TransferRefusal::Same);
        let (payer_entity, mut payer) = ctx.find_entity::<Account>(from)?;
        let (payee_entity, mut payee) = ctx.find_entity::<Account>(to)?;
        ensure!(payer.balance >= amount, TransferRefusal::Short { balance: payer.balance });
        payer.balance -= amount;
        payee.balance += amount;
        ctx.set(payer_entity, payer);
        ctx.set(payee_entity, payee);
        Ok(())
    }

    pub const PLUGIN: Plugin = plugin! {
        rows: [Account],
        reducers: [fill, transfer],
        systems: [],
    };
}

pub mod movers {
    //! Entities with a position and a velocity.

    use evertick_module::prelude::*;

    /// Where. As in a game: a crash may cost the last seconds of a walk.
    #[component(visible = near, spatial, checkpoint = "5s")]
    pub struct Position {
        #[wire(step = 0.015625)]
        pub at: Vec2,
    }

    /// How far in a tick.
    #[component]
    pub struct Velocity {
        pub by: Vec2,
    }

    /// Of those that stand still: since when.
    #[component]
    pub struct Settled {
        pub since: Timestamp,
    }

    /// The edge of the square that the movers start in, in metres.
    pub const EDGE_METERS: f32 = 4096.0;

    /// Makes so many movers, spread over the square, slow enough that about one in a hundred changes its
    /// cell in a tick.
    #[reducer]
    fn populate(ctx: &mut Ctx, count: u32) -> Result<(), NoRefusal> {
        for _ in 0..count {
            let at = Vec2::new(ctx.rng().between(0.0..EDGE_METERS), ctx.rng().between(0.0..EDGE_METERS));
            let by = Vec2::new(ctx.rng().between(-0.5..0.5), ctx.rng().between(-0.5..0.5));
            ctx.spawn((Position { at }, Velocity { by }));
        }
        Ok(())
    }

    /// Makes so many that stand still.
    #[reducer]
    fn settle(ctx: &mut Ctx, count: u32) -> Result<(), NoRefusal> {
        for _ in 0..count {
            let at = Vec2::new(ctx.rng().between(0.0..EDGE_METERS), ctx.rng().between(0.0..EDGE_METERS));
            ctx.spawn((Position { at }, Settled { since: ctx.now() }));
        }
        Ok(())
    }

    /// `position += velocity`.
    #[system]
    fn drift(mut movers: Query<(&mut Position, &Velocity)>) {
        movers.for_each(|(position, velocity)| position.at += velocity.by);
    }

    pub const PLUGIN: Plugin = plugin! {
        rows: [Position, Velocity, Settled],
        reducers: [populate, settle],
        systems: [drift],
    };
}

pub mod crowd {
    //! Entities that roam about a square for ever, and sessions that look on through one of them.

    use evertick_module::prelude::*;

    use crate::movers::Position;

    /// How far in a tick, and the edge of the square it turns back at, in metres.
    #[component]
    pub struct Roamer {
        pub by: Vec2,
        pub edge: f32,
    }

    /// The farthest that a roamer goes in a tick along an axis, in metres: a run, at 20 ticks a second.
    const STRIDE_METERS: f32 = 0.3;

    /// Makes so many roamers, spread over a square.
    #[reducer]
    fn gather_crowd(ctx: &mut Ctx, count: u32, edge: f32) -> Result<(), NoRefusal> {
        for _ in 0..count {
            spawn_roamer(ctx, edge);
        }
        Ok(())
    }

    /// Makes a roamer, and the caller look on through it.
    #[reducer]
    fn watch(ctx: &mut Ctx, edge: f32, radius: f32) -> Result<EntityId, NoRefusal> {
        let entity = spawn_roamer(ctx, edge);
        ctx.focus(Focus::Entity { entity, radius });
        Ok(entity)
    }

    fn spawn_roamer(ctx: &mut Ctx, edge: f32) -> EntityId {
        let at = Vec2::new(ctx.rng().between(0.0..edge), ctx.rng().between(0.0..edge));
        let stride = -STRIDE_METERS..STRIDE_METERS;
        let by = Vec2::new(ctx.rng().between(stride.clone()), ctx.rng().between(stride));
        ctx.spawn((Position { at }, Roamer { by, edge }))
    }

    /// A step for each; who leaves the square turns back.
    #[system]
    fn roam(mut roamers: Query<(&mut Position, &mut Roamer)>) {
        roamers.for_each(|(position, roamer)| {
            let to = position.at + roamer.by;
            if !(0.0..=roamer.edge).contains(&to.x) {
                roamer.by.x = -roamer.by.x;
            }
            if !(0.0..=roamer.edge).contains(&to.y) {
                roamer.by.y = -roamer.by.y;
            }
            position.at += roamer.by;
        });
    }

    pub const PLUGIN: Plugin = plugin! {
        rows: [Roamer],
        reducers: [gather_crowd, watch],
        systems: [roam],
    };
}

evertick_module::export_module! {
    name: "bench",
    plugins: [accounts::PLUGIN, movers::PLUGIN, crowd::PLUGIN],
}
