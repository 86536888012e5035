"""What people may not do now, told in a sentence."""


class Refused(Exception):
    """It can't be done; the message says why. Nothing was changed."""
