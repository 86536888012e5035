"""From a stranger's bytes to a PurchaseReport, without losing one."""
