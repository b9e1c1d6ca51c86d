# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical face of MediaPipe's face mesh: 468 points and the triangles between them, as text.

Source: ``geometry_pipeline_metadata_landmarks.binarypb`` in Google's ``face_landmarker.task``, Copyright The MediaPipe
Authors, Apache-2.0; changed in this: rounded to hundredths of a millimetre. Text: zlib, base 85.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np


def canonical_points() -> np.ndarray:
    """float64 [468,3] metres: x right in the image, y up, z toward the camera."""
    packed = np.frombuffer(zlib.decompress(base64.b85decode(_POINTS)), "<i2")
    return packed.reshape(3, -1).T / 100_000


def canonical_triangles() -> np.ndarray:
    """int [898,3], counter-clockwise as seen from outside."""
    packed = np.frombuffer(zlib.decompress(base64.b85decode(_TRIANGLES)), "<u2")
    return packed.reshape(-1, 3).astype(int)


_POINTS = (
    "c-qa?X;2h*769;`p1!B2kLm6?7*K?jWLXq7WS1yWFp5igM9XNc7j8ren0TzgBN$zRprS5YUJ;{cJfjj*EXLJDT)-e|Oi(u%6OE{x1I*Dg!yM"
    "f`J+rv^k`GB$z9g0R<$d_S_ddK|)%yd$(-;x{e*$t`z)!?q!_zx1`HH<6?sDgjz&dZaZ=t)+HQGKjaMXFH{VzT3{V%9T)jYX0xL4_rPWonrn"
    "eh6)Ea`&u4{4DjE}ZY?oNslHQC0+=c<Vc7D+y|zKPRx+eqE~arTWr5vAtOT2R%{U3sqJbBiR*~KM>d#m>POX210#mI5a_Bq?W0ls1d1J8YkT"
    "e*88`$0l>rHnqZY$EH72>`!(M2lDBW7bD6j~utWY(stg`<9q6eIZnF2tU2<L5>b`2H)m!Xu4}PhR?M~{|N6t$PPj<?P)ZqAB-rrsyToPJqkG"
    "JC;!+J70cl)PAt_Ol$XWaX|Zv;+sd*#($tN3&i^L<QURFJYUf%(3D-ZSoL;@fT023{Cxv@%o$fNx!lw^hDr8x>q10szJTb;o%nM=>j3$$lw2"
    "_-TL(wD!N+H#O8MlhVy#V=t&K3l7u`bPiFT&W{Q`;|=<^`cU`s{)f(SiY(n1`@IX?qimcrt81Reth}czke7spN*8>M9$s`izUcdVd!@rHj`q"
    "g-rv_Ujrfs{tJ)}`n!kn6<YzWtfD<rcbDLJlb&fA(w=6y}Ibt18mtfN-31=v<{6>)^hV4AoGST>s+eaaZ4y9Q>174UlWbtoE{OH^q@O(}l?$"
    "wJ;l4jEcC`zQyy#e5aoi47*xqs~D0!3w+*E96p<S;TdsQU6#7>gE``%tt^MbQR$t7RRxC?40&83_t=1YHPtm;977Js6nP94M;MYj<1P{N4KG"
    "~z>V;`U;-W?|AXlHOYCmC5G#ORL2}T=%o5`SbOUFCqu>n7c78hBNp8er(C5G_<`%&VOh(2HS^>+*IKv;|*P_$W1KKj~As4WIWvq)@hJOsCVw"
    "hz%l~3-$=9%^IcCwQ`PKa1D>M@DfaU!3bP1VpPF*US^G(iu*XBd%;gP%7wqorCHPqa>kDj^#*3?`7HXeQ>s;&g}kbJ{q#A9)^46T;wb6b2tb"
    "UD|I+3|~h`)Gl2-+W;X*0!@;~sAiLcy<j<^w?VnkG5CP?0g^?e>FqRaNa5d!&N0~NCh{?U4oyPDnAPxVZ3O&6;{aQrO`3E~9%6$~sFJB+Ydr"
    "gvdx1;Zk>TZ<)3|{+M;p1!*iv_mm@AHVu5m23>-yyGcsWxZBlM$J&;Ys?FUKm#QgQ+5)s>^+wmjk<HXKh@Bc3X8re~<TP}GYB_D_}Hg%jyp+"
    "8Lorb-enl<{;b5+_Ma4qREJJvZGUOl5khD>x#jsoMjzc=HQvela|9wjiJJw;{K;NNjABPol{&sB~4r^z9x>ez0!Bae%dkD`H8c{>2t(8TD{%"
    "M1nIW3(HR$<CUpkWz<eM-G&ZK%?BnWt_i)!NNwJr(5;z6dl3U@0>S=9__P=1Z_I0QhhH#g<mCTZ7YF@<0pu<CXL`V31zlF#GaGS5aB~;Y+GI"
    "jY;t~5VVi>2azjBw@!s~=RgUVFULGVuY4FT@-0N%~2;UAjHGmAc>Sbj-(ig1^MKNHO`ZkyRaBTY77C_eJ6^^w~qtckBFnozc!I4!wP1&neeE"
    "*D&!TcSfK99YQAQRM&WMIhoiM4~;<TkuE@f{I3p2ht%69#o8j$pg^fF_sQBwt}VAS&spf*;y56dc;mElLuHCfy`e9rwo&t_-Fh3YfNvsK;W~"
    "H*@)9}<I|4S!yTR1Z=W>hEENzr8N+J9h{xaS|Wa}<z4a9HJ^4FI9amDWqe<=9#{6-Ae{jzTJO(`*FOud$4F_WV!jkn1YJT4ToJ;nwhhmR5V3"
    "r~c@!Y%H)b%bRxfYEoUvD8eGq<JPpm(W|OZ-@kT37G{P#AdKQ<3wSdaDvO^dkyoMhG-@xUf<0A+xVq$OMltg#NMWN!5;1i4KT^lQsWI{Ei;}"
    "uMa>XKa~0f9>Nruu(z;Y+sWDL~;|3XzGN;)ldZk5W$8iR}ko&W+S;!K;<I4=q2EXAO1H`@KzhOycce1_4w|JYei7_zy`Nc%ez#oyvHu5iU=a"
    "^)D5w0D$X^#wy<vrw(?lb)m`Wjut)CqIYBI2-hF!zVxtE|UBl6OogfsZIAY6*H1ycjvCy$hO{vzD(}3-TOQPZhC6NSO8zrRXv46w^ShqVlN#"
    "T1UmwL+KsV0ex)fZ~7$D0zTbz!C1hrB>tq&Hk7IFQ-ww=XQ4JkG<+t%nxDnLYnaa7WV_f>c9?D|zlBMp_c3EJ)o_|!8wHuqnnxO6<cIJDTnp"
    "u70Va`|!=_RB+zj4Dc2VV21N?z56NqDK`Rx|gG|y^d^z2>6PLHKl5Vs-;<X-(A%0d^?KKgBcSeRozY26f69+f8yw=T1o={Fe6;3Y|YujMxRT"
    "eSSOC4XG;d&3_J{yaZu!0wlI`yaEDt=#"
)
_TRIANGLES = (
    "c-kG8WnfiT7KPUeP6@8TJrLX>K|+HCf<q|o?(PJF2M8g!Q#@E8KyY`LmbTQLPQ9I$=}cw5@aMj7y`1-6?zw00we}%x(gOXilFFpnUg6=+<R|"
    "_^wY<#{ZmT}JsDWPK%$}oCdQ)Se1&)JC=`~ALTvjb5y#}RSh3e(2?(M0XrmuAky6P9uG}c#fAnVJsrYcm$t)TK6<Y-pKuwuOOLD8-XO;c}Q^"
    "B_-Cj9%zEbj{yDF$!^%E4Z0n*HE>AqC5n8T}QND%X~x!c%9~DUa!^A0nKuZXL}=ex<xCX7$1T*si1o}(ls<llhqUI;VIA{1-h!UyS#$cO4Xp"
    "Mj)a1hMeV(g>pG242dKSALhIDc`90JV6su|~0OfaeC{`JL#BaKUuIQ=uK}UQKy25v^=UXHB##7n=t@mjtSUFwC>s(Q(YOifj9bbe})s!_G-B"
    "V{+vjNJ^`e0NKUv^JV))alIE6`<s1x?X0C;PCU>51Ob9w^y&peL&D2F|Tc%B{}I#kGNRLAh1aQ(VJQYNJ&u4NY-FsEyJ&*6CeT#k5`Xp;+&L"
    "im8~lvWNB9!wc+Z4C)ZHMQ?ha*ZPW1>Ymy``#c;vsWIN}kzT4ry2SrB67>vPq($EA7T&G?x~sv^UeAU4tD-Brh$B=-E%ZMXLFI$$D82GH1J?"
    "|ytU^#8*Mu_YZ%y)FDyRZlsmahJCqM<%#Nn>#?ut?mO@YF_3X0;n@AoF2`&r%B0cgJ;LT9zx^?ggXb?en0-D1DecIy`R63*QW=T3TP4HWJZ&"
    "`CJltKs9QCQvxP)dQ7_oz2NLC%YR8HE<Uwr}jImlYCzfR7QKDtiB69&^XTON-t9~XLVW{c{P;G{sg)y`_q#e$qofN80x7Ve(Wv2tn>O!kD$l"
    "?H*{WhfakfewyB8bLIK_iZBu&B_fr?sOYP7TXuf}kUg|%(<(*EaYx+*{&@CT^t|`hD-Nr*TL=o(M8&n-=h>AKhzg<_Cm0A0sv}<NmXJ>GCkI"
    "^I**Ci-}zknvOeuq!9{zKMmfp+*j^r2e#o}0VB`spXNgzk9&)Q{R9;8xWBK+V<!Xn<Eh16A9LebVjpTzixXE%y7+bLx7wMO_C`%Uz(^9t#C&"
    "s0(<PV|7E-bqFfp$IuOp;_S`vVy)%uErmvUKeSc@oX;mbTkol=qM>{q551?eKIb5RtXld+g`sn<4b|f8<?#s4-a<~_DJYLWfEMbAGdj*sm82"
    "3p(>T;JD2ZMX;*Ru+QEH|NP>5fLMscokab|{dW<ofh;iy$m4|>rR_o5d~)mOR-UGdk@R6X?&clAq+(>z^(hWImRoPu1~ZCy*lR9j`C!fp%=("
    "|>ix51d!O=m*`0?)Ycu7v*(7S8^3K*G$cU`gt?dT+LjDp5K?A--!Mnfoco&;okGQEcf16Ra6Pe>*i2nUBnCC@aLL{7fggQJ3fun7w+yEoPdd"
    "(jqa#1&?H%Tl-pJ%Ui&+@^Jo@SiE~(pvzLyuS5qUPLS6`cN4+HZ0QK^a8aWOn`CaItW_p(Y)CT3(MhTkbASgfevV<DhO^xiuYXVVaq4K(^gV"
    "gm+D)|vLehYOQx}`|YSXK|B1_yH9vZ7W%W$2m7Jc~O#i?>u9N_KrHM5X*+&TE(kD6by4C5pX71-O{!x`?)_o?@V4-U4k^S6^Un$FaAcDGPML"
    "rJ<SB={%>SPK#2TvCuqkhl=X3_uvsv@Q6G3#Szp!=&8>0tn>O)_I#ZBL0vr)s=}H*ZpWJ8tjY!LaR@YAHF$D0-G)xrh-X?8)fbA=XkT<+FVP"
    "Hrt~a2Io(RprxwGMME%CT=$^m6_1*jE!GMHUi!H&$OUu8wzh00LB<*3>I)NB*ogv$9_=qHtPYrL-s-ZvN@%#W%LRm1CZxEfv`sS0>pHB?0?l"
    "HPmV$LPJ!^sbVj<9-WzhCk-S6C?4&idqNdbSiX;nmtTa?WdxiP-}6hr%;mOJkHadq%~TmmC!gRLu(XFErhr!wKj~N7J?cIHKTLwQy=>0boy6"
    "DDDAorRS+-ei!aQ;3#LMwoCwWOV>fX#zoEYBj#oBAML~V(Z{^*d{x(A4{8oEZQ)q-%vm(*QmBOmVP!m4e9Tka3x8l4F#G`vbJ;_K@P;IHHC="
    "VmUG{*a)P!SM`#y33Ly|hICqSi*EK8KdzB%#j1HHW$=3<`BuC<nc+0MF<#&#1auLnvr2e+hGTuG!U94WTecL)q!wMV*Cf7S$!oWI>I9vZxh3"
    "C!Yt>1E-R~@}Z_dRrRO-qW1Drc?Iy<nK*3%v_Y%5$3{M;Zro#ID3SY3LG^J)?eugUC8MrGY1fRX2-Y-nA9k=C>zkq8fck2=$9R+vYO$7TBs9"
    "kKX;cZPc)1(spxz-%EJrPc4(g;+-ObN6LGLR+l<I2G1kP|>&P)Z)Ob6A0>bgBtk)%+_SGiuLyZnc1A$m?tUURuPnJ0wIQ=j}Z1=SE*MV37HD"
    "oq}tTioP&&^MtY%I12U;c}eej;agQa|ft`&iOpO_Y->Wr}Wsus47rx@<}I8azQf5Xf1>~c_*||<?)nYhpQ=`(iRHh4Aeq(_a(CEB(mrix(r?"
    "Nm(XP0@IY$zU)1azWrha26!baIF4!G-b|d+02oy{<Zi-rm^JL|k748Ui@F*xNdzDJfR-<O$r+&+!zJ;1lYuo4*sq~7A^#3xbwooIo*#sXVn?"
    "2SFyz&rgHuRVtGSQvsA!8Ize}m|6@u>M;$PBTAsbZ)8AaN{oCg^v3p}Py>3pMb99#D6(>m*cppW)uax%ZFo+#uA)P%XTnH$IW(61_Fv{oPy3"
    "p;@di%9?Q2)YWOIs6T{0;)Gr2xn5H`&e>Hc?Rp(Ggqh|aoU#y8&L8?mnfQN7qVnKDr(9Vd;6b;c-2NUyc@CMgIhk`a^G;<{9Mpoo(TA*cnXE"
    "Nko1s2F2mQt!W+GMnPNFKwZ#_lLgI;QZ|HtRwRGjjuvd5xYKylR0JgO&w%GpLvn~B;AZO{xarF*TVbM2?6O-Cg`YpA20-b@{x<KE(-o#eD@s"
    "3bDsaX+AE_S8nGsn0;~;wh8Jc-zT%D>-lTQ9Gd>T0+*^g(L1FYXxv^?f_^PdpzFvJxf2czYn1C{ssCuZK`9vSW%YG?n3Q_cvUt$<27ctY}5k"
    "ofm>ul&GTetgl)_S31skC)JkYOe+y(?+Nwa+!(9TYmOxZlvPVU-N(9-XGE~Vepa?QU7Bb`*GGu9TP6pIxP;q+CT%3OcUcVKeorT&0ZKQ8UlH"
    "qHR;Rh)z6zMY1eLQOsnc*&(VK*~W5~?TkfIc~ZRQQ-gI9n&60e%m<L4IgKX4uUR^=EIEp!z|3IU6TA9p7^@o-^y6LQQ}^U|t^XF5aZEOwbRZ"
    ";r<mG%liAi%laSL!#mJ@{{a2S>~omR`Hal@1TPzj+7B(#RzGC&zMw<;Rl}i&UH~0pemsbmmB7m$(Tm2R4x|y^pPTRep6{&0v%8O)1^rB4Pjo"
    "}PAe!#G3QD9Wr=UWaO~RN#x-y$2LaUtub!9GD<4||TJ5JzPp{V0f7v`R|Op2YDS<+^l2B;HIXXd-L-pzb>8&w}#%bJs@(N6H|<ceN8s$o!q="
    "R>`;o*A}=PcccRstmNwji5HXU&9-C|1?}0szJYPgW3oe=M2|}OG6uY|1|12GjB54?=5ED;?PF&*csF@CdmWr=R>B+P0)6qg&xuy$I^>R(Tn2"
    "9w-ZsDp?LP~F3;|Jp52ek6em&bpy%|ZskrM5oHbDi&{Q9VmN03OSe>41Z*ps%SIO0=gCzUie#D)ZU{7|Vu0XfRMT6<4{pqB0@!xW&!B7)CD~"
    "11UDgWC$Itr!uZRircH`OKSy`gm9#ZapEK%r#J2UO|+YV#NRUUSrPs2^u?{Hux$c-033_*+^>4A4E_banrv*7{Z@p_>kcS~H7v@?~bRFL9f{"
    "agt7W&}dW!lITCwQz6pm5a<H^>NC`3|E(){%~#CQe?foa?gdd-aQdtMN?)V@g#IFH7eHMldtYNVd4ZO%p@N_na2He%G*;K4F8&63!3_AwTbT"
    "hb=-<@KR@AT11$y`vGV_OI=JV77>6uzMk2(#X;r)-`0H_!lyB_KclkHi5q>q_y4F!;;i=fWI>G0p8u%WZO|1m0^(=)pjWp*n@mOh926#9g@_"
    "$eM;43B<ERzHs#2Yt%iRGV2TFSAlR-GyrVN9YIge|2WhFlNuz?DJw&D71(Dug)~^6O%w|*0e;0K?BH;N2!HGYT<3AKu7%!bd>Ke#dqfAJHvS"
    "HwOxwm9){Y)*_g^1PULJHg|>4}E}^>65w0`aenVGy1U+Ql{}pwe9UR2o#;}Wzp-27=iou(rai?=Q(|8Snq8$VMMz4!@JiYEPYBLngn(?R+^t"
    "7SOT(R`DZqO<E+Xtvy^u~C9$BG+#HXijJbeQ)?z~8|OnYDMJVxb$<eu7I-`wh6q6exlFJ&Ni_2cN^tvY9SE5z4}xSQ_;YZrsU*IFp(1sZRcb"
    "l#mIPfiro@#mPK{`1>W)Xy^+PYeT#vJKhnEj|8GRLTRt7$Y9a9$}#d-JyZv%BR#MY+3y(HuNyhAE~-7$L5-Mg>$scRGuv*1B76~Qum1ynCf-"
    "p"
)
