mod crashes;
mod deletion;
mod driver;
mod durability;
mod elections;
mod images;
mod reading;
mod zombies;
