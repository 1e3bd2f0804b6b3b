//! Costs that are compared part by part: the first part decides, ties go on to the next.

use std::ops::{Add, Mul, Sub};

/// Parts of a cost, weightiest first. An ordered vector space: sums and multiples keep the order, so that what holds for
/// optimizing by one number holds for it too, ties included.
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
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a - e, b - f, c - g, d - h])
    }
}

impl Mul<i128> for Vector {
    type Output = Self;
    fn mul(self, times: i128) -> Self {
        Self(self.0.map(|part| part * times))
    }
}
