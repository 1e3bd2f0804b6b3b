//! What a set of patterns costs, as the search counts it.

use std::ops::{Add, Mul, Sub};

/// Parts of a cost, weightiest first: the first part decides, ties go on to the next. An ordered vector space: sums and multiples
/// keep the order, so that what holds for optimizing by one number holds for it too, ties included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vector(pub(super) [i128; 4]);

impl Add for Vector {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a + e, b + f, c + g, d + h])
    }
}

impl Sub for Vector {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + other * -1
    }
}

impl Mul<i128> for Vector {
    type Output = Self;
    fn mul(self, times: i128) -> Self {
        Self(self.0.map(|part| part * times))
    }
}

/// A price for each path: `sum` divided by `parts`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathPrice {
    pub(super) sum: Vector,
    pub(super) parts: i128,
}

/// A set of patterns by its figures: how many, and what they cost besides. Or how two sets differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Figures {
    pub(super) count: i128,
    pub(super) rest: Vector,
}

impl Figures {
    /// Returns the cost at a price for each path, times the price's `parts`.
    pub(super) fn cost(self, price: PathPrice) -> Vector {
        self.rest * price.parts + price.sum * self.count
    }
}

impl Add for Figures {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            rest: self.rest + other.rest,
        }
    }
}

impl Sub for Figures {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            count: self.count - other.count,
            rest: self.rest - other.rest,
        }
    }
}

/// The ways to cover what is beneath a node: by its wildcard, or open, by its own paths and its children's ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeOptions {
    /// The way that is best at the price, and whether it is the wildcard.
    pub(super) best: Figures,
    pub(super) takes_wildcard: bool,
    /// `None` where there is no other way.
    pub(super) other: Option<Figures>,
}

impl NodeOptions {
    /// Returns what opening the node costs more than the best way does; `None` where it cannot be opened.
    pub(super) fn opening_loss(&self, price: PathPrice) -> Option<Vector> {
        if !self.takes_wildcard {
            return Some(Vector::default());
        }
        let open = self.other?;
        Some((open - self.best).cost(price))
    }
}
