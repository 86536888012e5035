"""Who members can buy from: the partner catalogue and the clicks that leave for it."""
