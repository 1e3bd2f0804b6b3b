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

/// The two ways to cover what is beneath a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeOptions {
    pub(super) wildcard: Figures,
    pub(super) wildcard_allowed: bool,
    /// `None` where a wildcard is the only way.
    pub(super) open: Option<Figures>,
    pub(super) takes_wildcard: bool,
}

impl NodeOptions {
    pub(super) fn best(&self) -> Figures {
        match self.open {
            Some(open) if !self.takes_wildcard => open,
            _ => self.wildcard,
        }
    }

    /// Returns what opening the node costs more than the best way does; `None` where it cannot be opened.
    pub(super) fn opening_loss(&self, price: PathPrice) -> Option<Vector> {
        let open = self.open?;
        Some((open - self.best()).cost(price))
    }
}
