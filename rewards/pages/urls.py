"""Addresses of the member pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from rewards.pages import redeem, views
from rewards.pages.departures import go
from rewards.pages.statement import statement_page
from rewards.pages.stores import store, stores
from rewards.pages.visits import visits

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/demo/", views.sign_in_as_demo, name="demo-sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("stores/", stores, name="stores"),
    path("stores/<slug:slug>/", store, name="store"),
    path("go/<slug:slug>/", go, name="go"),
    path("visits/", visits, name="visits"),
    path("statement/", statement_page, name="statement"),
    path("redeem/", redeem.catalogue, name="redeem"),
    path("redeem/for/<slug:key>/", redeem.order, name="redeem-for"),
    path("redeem/payout/", redeem.payout, name="payout"),
    path("redeem/<slug:public_id>/", redeem.redemption, name="redemption"),
    path("redeem/<slug:public_id>/code/", redeem.code, name="redemption-code"),
    path("activity/", views.activity, name="activity"),
    path("activity/<int:pk>/", views.purchase, name="purchase"),
]
