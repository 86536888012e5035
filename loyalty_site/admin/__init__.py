"""Pages of the site itself: staff, their roles, and what they changed."""

from loyalty_site.admin import accounts as accounts
from loyalty_site.admin import audit as audit
