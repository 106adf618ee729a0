mod driver;
mod durability;
