"""Settings, from the environment alone; `.env.example` explains every variable."""

import sys
from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _

from loyalty_site import broker, database, logs, mail, unfold
from loyalty_site.env import Environment, only_local, refuse_strangers
from loyalty_site.version import read_version

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.load(Path(env.text("ENV_FILE", default=str(BASE_DIR / ".env"))))

DATA_DIR = Path(env.text("DATA_DIR", default=str(BASE_DIR / "var"))).absolute()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
# What `make run` made up once, so that commands in a second terminal agree with it.
env.load(DATA_DIR / "run.env")


# Who may ask, and how

DEBUG = env.flag("DEBUG", default=False)
DEMO = env.flag("DEMO", default=False)
ALLOWED_HOSTS = env.names_in("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names_in("CSRF_TRUSTED_ORIGINS")
WEB_PORT = env.integer("WEB_PORT", default=8000, least=1)  # of `manage.py serve`
HTTPS = env.flag("HTTPS", default=not DEBUG and not only_local(ALLOWED_HOSTS))
TRUST_PROXY = env.flag("TRUST_PROXY", default=False)
METRICS_TOKEN = env.text("METRICS_TOKEN")  # without one, /metrics is for loopback

refuse_strangers(ALLOWED_HOSTS, DEBUG=DEBUG, DEMO=DEMO)

if DEBUG:
    SECRET_KEY = env.text("SECRET_KEY", default="for-debugging-only-" + "0" * 40)
else:
    SECRET_KEY = env.required(
        "SECRET_KEY",
        mend="Put 50 or more random characters into the environment, into .env, or into"
        " a file named by SECRET_KEY_FILE; DEBUG=true does without.",
    )
SECRET_KEY_FALLBACKS = env.names_in("SECRET_KEY_FALLBACKS")
# Key of stored content digests. It has to outlive a change of SECRET_KEY.
DIGEST_KEY = env.text("DIGEST_KEY", default=SECRET_KEY)
# The first seals secrets at rest, all of them open; they outlive SECRET_KEY too.
ENCRYPTION_KEYS = env.names_in("ENCRYPTION_KEYS", default=SECRET_KEY)

SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None  # it must strip ours
)
X_FRAME_OPTIONS = "DENY"
# Preloading binds the whole domain for years: the operator's choice, not ours.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        **dict.fromkeys(("default-src", "frame-ancestors", "base-uri"), (NONE,)),
        **dict.fromkeys(("script-src", "style-src", "img-src", "font-src"), (SELF,)),
        **dict.fromkeys(("connect-src", "form-action"), (SELF,)),
    }
}
CSP_ADDED_BY_PREFIX = {
    "/admin/": {  # unfold: Alpine's expressions, styles in attributes, drawn icons
        "script-src": [UNSAFE_EVAL],
        "style-src": [UNSAFE_INLINE],
        "img-src": ["data:"],
    },
    "/api/docs/": {"style-src": [UNSAFE_INLINE], "img-src": ["data:"]},  # Swagger
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # the webhook reads by its own limit
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 60 * 60
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "CommonPasswordValidator": {},
        "MinimumLengthValidator": {"min_length": 12},
    }.items()
]


# Applications

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "loyalty_site",  # before staticfiles: its runserver is ours
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django_structlog",
    "merchants",
    "rewards",
    "ingestion",
]

MIDDLEWARE = [
    "ingestion.webhook.WebhookGuard",
    "loyalty_site.health.HealthGuard",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "rewards.pages.viewing.ViewAsMember",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "loyalty_site.csp.ContentSecurityPolicy",
]

ROOT_URLCONF = "loyalty_site.urls"
WSGI_APPLICATION = "loyalty_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": database.configured(
        env.text(
            "DATABASE_URL", default=database.sqlite_url(DATA_DIR / "loyalty.sqlite3")
        ),
        test_name=DATA_DIR / "test.sqlite3",
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]  # a language joins with its catalogue
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(mode=0o700, exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "loyalty_site.static.StaticFiles"},
}
# Until `collectstatic` has run, files come straight from the applications.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()

UNFOLD = unfold.UNFOLD


# API

VERSION = read_version(BASE_DIR / "CHANGELOG.md")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rewards.api.authentication.ApiKeyAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "rewards.api.problems.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Loyalty API",
    "DESCRIPTION": "Members, what they earned, and why.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": ["pending", "validated", "declined"],
        "RedemptionStatusEnum": ["reserved", "fulfilled", "cancelled", "review"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}


# Button, and how rewards behave

BUTTON_API_URL = env.https_url("BUTTON_API_URL", default="https://api.usebutton.com")
BUTTON_OFFERS_URL = env.https_url(
    "BUTTON_OFFERS_URL", default="https://pubapi.usebutton.com"
)
BUTTON_LINK_URL = env.https_url("BUTTON_LINK_URL", default="https://r.bttn.io")
BUTTON_API_KEY = env.text("BUTTON_API_KEY")
BUTTON_ORGANIZATION_ID = env.text("BUTTON_ORGANIZATION_ID")
BUTTON_WEBHOOK_SECRETS = env.names_in("BUTTON_WEBHOOK_SECRETS")
MAX_WEBHOOK_BYTES = env.integer("MAX_WEBHOOK_BYTES", default=8 * 1024 * 1024, least=1)

MEMBERS_AUTO_ENROLL = env.flag("MEMBERS_AUTO_ENROLL", default=True)
REWARD_NEW_ACCOUNTS = env.flag("REWARD_NEW_ACCOUNTS", default=True)
REQUIRE_BACKTEST = env.flag("REQUIRE_BACKTEST", default=False)
REQUIRE_APPROVAL = env.flag("REQUIRE_APPROVAL", default=False)
PUBLISH_MARGIN = env.integer("PUBLISH_MARGIN", default=300)  # seconds
REDEMPTION_HOLD_HOURS = env.integer("REDEMPTION_HOLD_HOURS", default=72)


# Mail

_mail = mail.configured(
    env.text("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25")
)
EMAIL_BACKEND = _mail.backend
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.use_tls, _mail.use_ssl
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="loyalty@localhost")


# Workers

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default=broker.url(DATA_DIR))
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    # Without these two a killed worker's tasks wait for 100 s and more.
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_TIME_LIMIT = 120  # below the visibility timeout, or it runs twice at once
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 8
# What a lost broker will deliver again need not be finished here.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")
CELERY_BEAT_SCHEDULE = {
    "drain-inbox": {
        "task": "ingestion.tasks.drain_inbox",
        "schedule": 1,
        "options": {"expires": 1},  # a busy worker ignores what piled up
    },
    "poll-accounts": {
        "task": "ingestion.tasks.poll_accounts",
        "schedule": 20,  # which of them is due is a column that staff can change
        "options": {"expires": 15},
    },
    "run-jobs": {
        "task": "ingestion.tasks.run_jobs",
        "schedule": 30,
        "options": {"expires": 25},
    },
    "settle-due": {
        "task": "rewards.tasks.settle_due",
        "schedule": 30,
        "options": {"expires": 25},
    },
    "expire-points": {
        "task": "rewards.tasks.expire_points",
        "schedule": 60,
        "options": {"expires": 50},
    },
    "outbox": {
        "task": "rewards.tasks.send_messages",
        "schedule": 3,
        "options": {"expires": 2},
    },
    "backtests": {
        "task": "rewards.tasks.work_backtests",
        "schedule": 5,
        "options": {"expires": 4},
    },
    "reruns": {
        "task": "rewards.tasks.work_reruns",
        "schedule": 10,
        "options": {"expires": 9},
    },
    "bulks": {
        "task": "rewards.tasks.work_bulks",
        "schedule": 10,
        "options": {"expires": 9},
    },
    "verify-ledger": {
        "task": "ingestion.tasks.verify_ledger",
        "schedule": crontab(hour="3", minute="30"),
    },
    "replay-ledger": {
        "task": "ingestion.tasks.replay_ledger",
        "schedule": crontab(hour="4", minute="0"),
    },
    "verify-receipts": {
        "task": "rewards.tasks.verify_receipts",
        "schedule": crontab(hour="3", minute="40"),
    },
}

DJANGO_STRUCTLOG_CELERY_ENABLED = True
LOGGING = logs.configure(console=DEBUG or sys.stderr.isatty())
