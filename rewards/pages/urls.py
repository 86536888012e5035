"""Addresses of the member pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from rewards.pages import views
from rewards.pages.departures import go
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
    path("activity/", views.activity, name="activity"),
    path("activity/<int:pk>/", views.purchase, name="purchase"),
]
